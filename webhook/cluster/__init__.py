"""The talk with the API server: what is read from it, and staying up to date.

Belongs here: the Kubernetes client, watching, and what becomes of objects. Does not: what a policy
means, the decision, admission. In doubt: does it need a cluster? Then it is here.
"""
