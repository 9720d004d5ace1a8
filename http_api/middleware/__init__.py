"""ASGI middleware, each a plain callable."""
