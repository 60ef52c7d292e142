"""The process of one task of a job: notebooks, Python files and wheels, with what Databricks puts around them.

Knows nothing of the server that started it but the REST API, for which it has the credentials of the run.
"""
