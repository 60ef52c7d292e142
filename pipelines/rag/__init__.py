"""A chatbot with retrieval: documents to chunks, vectors, a search index and three registered models."""
