"""Consumers of stack outputs. They import nothing of the project's other rooms."""
