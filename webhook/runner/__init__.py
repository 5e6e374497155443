"""What runs inside a pod: the work of a step, in our own image.

Belongs here: protocols, deadlines, what is said at the end. Does not: policies, pods, the command
line, the cluster. It is started in every pod, so what is heavy is imported by who needs it.
In doubt: would a person without Kubernetes use it? Then it is here.
"""
