"""One module for each kind of target: `read(address)` gives its check or raises UsageError.

Belongs here: what a server of that kind says when it is ready. Does not: when to look again.
A kind knows no other; `webhook.runner.targets` has the table.
"""
