"""Headers that chats alone have: options for clients that can set nothing else, and where a key's tokens stand. Pure."""

from collections.abc import Mapping, Sequence
from typing import get_args

from http_api.errors import Header
from shared.domain.routing import Escalation
from shared.domain.usage import Meter
from shared.errors import invalid_field

ESCALATION = "X-Gateway-Escalation"
SESSIONS = ("X-Gateway-Session", "X-Claude-Code-Session-Id", "session-id", "x-session-affinity")
"""Headers that name the conversation, the first one that is sent wins. Codex sends the third, opencode the last."""

FOREIGN_SESSIONS = SESSIONS[2:]
"""Those whose names say too little to refuse a request for what stands in them."""

LONGEST_SESSION = 200


def named_options(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """What the headers say, by the options' names. Raises InvalidInput that names the header."""
    found: dict[str, str] = {}
    if (escalation := _text(headers, ESCALATION)) is not None:
        if escalation not in get_args(Escalation):
            raise invalid_field(ESCALATION, f"it must be {' or '.join(get_args(Escalation))}")
        found["escalation"] = escalation
    for name in SESSIONS:
        if (session := _text(headers, name)) is not None:
            if not (0 < len(session) <= LONGEST_SESSION and session.isprintable()):
                if name in FOREIGN_SESSIONS:
                    continue
                raise invalid_field(name, f"it must be a name of at most {LONGEST_SESSION} printable characters")
            found["session"] = session
            break
    return found


def token_headers(meter: Meter | None) -> Sequence[Header]:
    """Where the limit on tokens stands, under the names that OpenAI's API has for it; nothing where there is none."""
    standing = None if meter is None else meter.standing
    if standing is None:
        return ()
    return (
        (b"x-ratelimit-limit-tokens", b"%d" % standing.limit),
        (b"x-ratelimit-remaining-tokens", b"%d" % standing.remaining),
        (b"x-ratelimit-reset-tokens", b"%d" % standing.reset_epoch),
    )


def _text(headers: Mapping[bytes, bytes], name: str) -> str | None:
    value = headers.get(name.lower().encode("ascii"))
    return None if value is None else value.decode("latin-1").strip()
