"""What runs inside a pod: the work of a step, in our own image.

Belongs here: protocols, deadlines, what is said at the end, objects that are waited for. Does not:
policies, patches, the command line. It is started in every pod, so what is heavy is imported by who
needs it.
In doubt: would a container without our webhook use it? Then it is here.
"""
