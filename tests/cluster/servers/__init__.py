"""Servers for recipes to wait for, to fetch from and to migrate: real ones, in the node's network.

They run beside the pods on the node's address, each on its usual port, in processes of their own
that a test starts late, ends, kills and starts again; their data stays. A pod reaches one by that
address, or by its name in the pod's own namespace once the test has called `named`.
"""
