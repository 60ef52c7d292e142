"""Online stores, published tables, and the pipelines that keep them in step with their source.

Imports nothing: model processes read keyed stores, and need none of the rest.
"""
