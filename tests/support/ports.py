"""Ports for what cannot take a free one by itself."""

import socket


def free_port() -> int:
    """A port of loopback that nothing listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
