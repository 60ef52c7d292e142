"""A small service on top of a serving stack: people ask for a fare, it asks the endpoint."""
