"""Ready-made steps: a recipe as it is written becomes ordinary steps and volumes of a policy.

It happens when a policy is loaded, so that everything that holds for a step written by hand holds
for a recipe's: templates, trust, borrowing, security, resources, the patch. Adding a recipe is a
module here, a line in `registry` and a field of a step.
"""
