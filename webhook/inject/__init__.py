"""The decision: what happens to one pod, as a pure function.

Belongs here: matching, planning, placing, patching, and the reasons for each. Does not: where
policies come from, the clock, logs, settings, HTTP. Nothing here touches the world.
In doubt: does the answer to the API server depend on it? Then it is here.
"""
