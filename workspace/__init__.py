"""The embedded workspace: a loopback server that speaks the Databricks REST API.

Nothing outside this package imports it; every client reaches it over HTTP, as it would reach Databricks.
"""
