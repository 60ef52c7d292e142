"""A report that a person reads: what an endpoint answered, how its model drifts, and what was done about it.

Everything in it comes from the stack's outputs, the REST API and queries on the stack's SQL warehouse, so it is made of
a real workspace as of the embedded one. Nothing here writes to the workspace.
"""
