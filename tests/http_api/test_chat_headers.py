"""Options of a chat that have headers of their own."""

from typing import Any

import pytest

from http_api.chat_headers import named_options
from shared.errors import InvalidInput

CLAUDE = b"x-claude-code-session-id"
OURS = b"x-gateway-session"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, {}),
        ({b"x-gateway-escalation": b"confirm"}, {"escalation": "confirm"}),
        ({b"x-gateway-escalation": b" allow "}, {"escalation": "allow"}),
        ({OURS: b"mine"}, {"session": "mine"}),
        ({CLAUDE: b"0b7c"}, {"session": "0b7c"}),
        ({CLAUDE: b"0b7c", OURS: b"mine"}, {"session": "mine"}),
        ({CLAUDE: b"", OURS: b"mine"}, {"session": "mine"}),
        ({OURS: b"x" * 200}, {"session": "x" * 200}),
    ],
)
def test_they_are_taken_over(headers: dict[bytes, bytes], found: dict[str, Any]) -> None:
    assert named_options(headers) == found


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({b"x-gateway-escalation": b"yes"}, "X-Gateway-Escalation"),
        ({b"x-gateway-escalation": b""}, "X-Gateway-Escalation"),
        ({OURS: b""}, "X-Gateway-Session"),
        ({OURS: b"x" * 201}, "X-Gateway-Session"),
        ({OURS: b"a\x01b"}, "X-Gateway-Session"),
        ({CLAUDE: b"x" * 201}, "X-Claude-Code-Session-Id"),
        ({OURS: b"", CLAUDE: b"good"}, "X-Gateway-Session"),
    ],
)
def test_what_is_wrong_is_refused_by_the_name_of_its_header(headers: dict[bytes, bytes], name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        named_options(headers)
    assert refused.value.message.startswith(f"'{name}' is not valid")
