"""The HTTP surface: the OpenAI-compatible API, the REST API and what protects them."""
