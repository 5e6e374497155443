"""What a written value may be: forms of values, parts made of them, names, and words for faults.

Policies and recipes describe their fields with it; it knows nothing of either.
"""
