"""Objects of the cluster as targets, read as the pod's own service account.

Belongs here: finding the API server, asking it, and when an object counts as ready. Does not: when
to look again. Loaded only for targets that are objects.
"""
