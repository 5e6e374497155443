"""YAML text and values, with the places where each value stands.

Belongs here: reading text into plain values with line and column, writing values back, and the one
shape in which anything wrong with a text is told (`Problem`). Does not: what the values mean.
In doubt: would it be the same for a file that has nothing to do with policies? Then it is here.
"""
