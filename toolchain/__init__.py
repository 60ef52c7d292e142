"""Gets the Pulumi engine, its Python language host and the Databricks plugin onto a machine that has none, and runs
stacks with them.

Everything but `language_host/` and `provider/` is standard library only, so that it also runs before the environment
exists.
"""
