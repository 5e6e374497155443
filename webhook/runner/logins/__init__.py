"""Logging in and asking one question. Loaded only for targets that have a login.

The libraries for it open their own sockets, without our deadline and our TLS: each look would cost
a second way to connect, for two challenges of a hundred lines that have not changed in years.
"""
