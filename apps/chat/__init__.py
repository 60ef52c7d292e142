"""A chatbot's stack, asked from the command line: the answer, and the documents that it comes from."""
