"""The API server's rules for containers and volumes, as it applies them before a pod is stored.

Belongs here: what Kubernetes 1.37 accepts in a core/v1 Container or Volume, said so that an author
can mend it, and the form in which such a value is stored. Does not: what Initject itself asks of a
step. In doubt: would a plain `kubectl apply` of a pod meet the rule too? Then it is here.
"""
