"""The language of conditions and templates: the only room of the CEL runtime.

Belongs here: compiling, bounding and evaluating expressions, what an expression reads, templates.
Does not: policies, the meaning of a pod, which reads are allowed.
In doubt: does it need to import `cel_expr_python`? Then it is here, and nowhere else.
"""
