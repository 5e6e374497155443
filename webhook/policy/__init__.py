"""What a policy author means: text to an immutable set of compiled policies, or problems.

Belongs here: the model of both kinds, their schema, every rule that a policy is checked against,
and compiling one policy for matching. Does not: requests, pods at admission, where files come from.
In doubt: is it about what was written, before any pod came? Then it is here.
"""
