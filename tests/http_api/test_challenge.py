"""What a refused client is told: only MCP clients need more than the scheme."""

import pytest

from http_api.challenge import challenge_of
from http_api.context import SCOPE_KEY, Exchange

METADATA = b'Bearer resource_metadata="https://[::1]:3000/.well-known/oauth-protected-resource'


@pytest.mark.parametrize(
    ("path", "challenge"),
    [
        ("/v1/models", b"Bearer"),
        ("/", b"Bearer"),
        ("/mcpx", b"Bearer"),
        ("/mcp", METADATA + b'/mcp"'),
        ("/messages/x", METADATA + b'/sse"'),
    ],
)
def test_the_challenge_of_a_path(path: str, challenge: bytes) -> None:
    exchange = Exchange("r", {b"host": b"[::1]:3000"}, "")
    assert challenge_of({"path": path, "scheme": "https", SCOPE_KEY: exchange}) == challenge
