"""Model serving: endpoints, their model processes, invocations, AI Gateway inference tables.

Imports nothing: a model process is part of this package, and needs none of the server.
"""
