"""What is in force now: policies and namespaces, and the files they come from.

Belongs here: cells that keep the last good value, and sources that fill them. Does not: the wire,
the decision. In doubt: can it change while the process runs? Then it is here.
"""
