"""What the host is told when a request did not get through: what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_gateway.bridge.upstream import VARIABLE, Upstream

BROKE_OFF = (
    "The connection to the gateway at {base} broke off while this was under way. Whether it took effect is not known: "
    "look before you do it again."
)


def away(upstream: Upstream, reason: str) -> str:
    """Nothing was sent."""
    if reason:
        return reason
    how = "Start it with `mcp-gateway serve`" if upstream.is_local else "Check the address, and that it runs"
    return f"No gateway answers at {upstream.base}; nothing was done. {how}, and try again."


def refusal(upstream: Upstream, status: int, headers: Mapping[str, str], content: Any) -> str:
    """Something answered, but not with a message of the protocol."""
    said = content.get("error") if isinstance(content, dict) else None
    said = said if isinstance(said, str) else ""
    if status in (401, 403):
        what = "did not accept the key in" if upstream.has_key else "wants a key in"
        return (
            f"The gateway at {upstream.base} {what} {VARIABLE}. "
            "`mcp-gateway keys create NAME` makes one; put it into the client's `env` for this server."
            + (f" It says: {said}" if said else "")
        )
    if 300 <= status < 400:
        return f"{upstream.base} sends us on to {headers.get('location', 'another place')}; connect to that instead."
    if said:
        return said
    return f"What answers at {upstream.base} is no gateway of ours, or not in order (status {status})."
