"""Ollama's own dialect, translated to and from the canonical form; only it takes the size of the context window."""
