"""The HTTPS door: HTTP in, `decide`, HTTP out.

Belongs here: TLS, routes, limits, draining, and the one place where all parts are joined
(`run`). Does not: any decision about a pod. In doubt: is it about a connection? Then it is here.
"""
