"""Keys: certificates, the authority that issues them, the folders they live in, and their changes.

Belongs here: everything about keys and only that. Does not: the webhook (it imports us, never the
other way), the Kubernetes client. In doubt: would another TLS server need it? Then it is here.
"""
