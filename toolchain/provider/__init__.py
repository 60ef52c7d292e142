"""The stand-in ``databricks`` plugin: a table of resource types and one engine that reads it.

``python -m toolchain.provider <engine address>`` is what the Pulumi engine starts. ``docs/stand-in-provider.md`` says
which types it knows and where it deliberately differs from the official plugin.
"""
