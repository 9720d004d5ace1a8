"""What is posted for an SSE stream that there is not."""

from pathlib import Path

import pytest

from http_api.app import Mounted
from mcp_gateway.transports import HttpTransports
from tests.support.http_gateway import surface
from tests.support.http_stack import error_of

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "invalid_request"),
        ("?session_id=x", 400, "invalid_request"),
        (f"?session_id={'0' * 32}", 404, "session_not_found"),
    ],
)
async def test_a_wrong_session_is_an_error_in_json(tmp_path: Path, query: str, status: int, code: str) -> None:
    transports = HttpTransports()
    async with surface(tmp_path, mounts=[Mounted(routes=transports.routes, lifespan=transports.lifespan)]) as made:
        answer = await made.http.post(f"/messages/{query}", json=PING)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    error = error_of(answer)
    assert error["code"] == code
    assert "GET /sse" in error["error"]
