"""Ollama's API as clients use it: requests to the canonical form, answers and models from it. Pure."""
