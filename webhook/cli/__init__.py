"""The operator's door: one verb per file, loaded only when it is called.

Belongs here: reading arguments and files, printing, exit codes. Does not: deciding, HTTP.
In doubt: does a person see it in a terminal? Then it is here.
"""
