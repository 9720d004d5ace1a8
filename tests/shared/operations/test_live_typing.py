"""Typing at a live terminal leaves a row for each line, not for each key."""

from pathlib import Path
from typing import Any

import pytest

from shared.domain.audit import AuditQuery
from shared.domain.identity import LOCAL
from shared.domain.policy import CommandPolicy
from shared.domain.targets import LocalTarget
from shared.errors import Forbidden, InvalidInput
from shared.gateway import Gateway
from shared.operations.live_typing import LONGEST_BURST, LiveTyping
from tests.support.mcp_stack import gateway_with


async def rows(gateway: Gateway) -> list[tuple[int, str]]:
    entries = (await gateway.audit.query(AuditQuery())).entries
    found = [entry for entry in reversed(entries) if entry.action == "send_to_terminal"]
    return [(int(entry.details["characters"]), entry.outcome) for entry in found]


async def typed(typing: LiveTyping, keys: str) -> None:
    for key in keys:
        await typing.type(LOCAL, {"data": key})


async def test_a_line_is_one_row_with_its_length_and_never_its_text(tmp_path: Path) -> None:
    async with gateway_with(tmp_path / "data") as gateway:
        session = await gateway.terminals.open(LOCAL.id, LocalTarget())
        typing = LiveTyping(gateway, session.id)
        await typed(typing, "echo s3cret")
        assert await rows(gateway) == []
        await typed(typing, "\recho\x03vim")
        assert await rows(gateway) == [(12, "ok"), (5, "ok")]
        await typing.aclose()
        await typing.aclose()
        assert await rows(gateway) == [(12, "ok"), (5, "ok"), (3, "ok")]
        entries = (await gateway.audit.query(AuditQuery())).entries
        assert "s3cret" not in str(entries)
        assert {entry.details.get("sessionId") for entry in entries if entry.action == "send_to_terminal"} == {
            session.id
        }


async def test_long_typing_without_a_line_end_is_told_from_time_to_time(tmp_path: Path) -> None:
    now = 0.0
    async with gateway_with(tmp_path / "data") as gateway:
        session = await gateway.terminals.open(LOCAL.id, LocalTarget())
        typing = LiveTyping(gateway, session.id, clock=lambda: now)
        await typed(typing, "iabc")
        now = LONGEST_BURST
        await typed(typing, "d")
        assert await rows(gateway) == [(5, "ok")]


async def test_what_is_refused_is_told_at_once(tmp_path: Path) -> None:
    async with gateway_with(tmp_path / "data") as gateway:
        session = await gateway.terminals.open(LOCAL.id, LocalTarget())
        typing = LiveTyping(gateway, session.id)
        wrong: tuple[dict[str, Any], ...] = ({}, {"data": 5}, {"data": "x", "more": 1})
        for payload in wrong:
            with pytest.raises(InvalidInput):
                await typing.type(LOCAL, payload)
        assert await rows(gateway) == []
        await gateway.policy.put(CommandPolicy.model_validate({"policies": [{"name": "careful"}]}))
        with pytest.raises(Forbidden):
            await typing.type(LOCAL, {"data": "r"})
        assert await rows(gateway) == [(1, "command_denied")]
