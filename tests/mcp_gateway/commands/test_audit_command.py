"""`mcp-gateway audit`."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.security.audit import AuditTrail
from shared.security.redaction import Redactor
from shared.security.secrets_box import SecretsBox
from shared.storage.database import Database
from tests.mcp_gateway.commands.conftest import Shell


def test_entries_are_listed_newest_first_and_filtered(shell: Shell) -> None:
    for name in ("one", "two"):
        assert shell("keys", "create", name).code == 0
    found = shell("audit", "list", "--json").json["entries"]
    assert [entry["details"]["name"] for entry in found] == ["two", "one"]
    assert found[0]["traceId"] != found[1]["traceId"]
    (own,) = shell("audit", "list", "--trace", found[1]["traceId"], "--json").json["entries"]
    assert own["sequence"] == found[1]["sequence"]
    assert shell("audit", "list", "--action", "login", "--json").json["entries"] == []
    shown = shell("audit", "list", "--limit", "1").out
    assert '"name":"two"' in shown
    assert f"--before {found[0]['sequence']}" in shown
    assert shell("audit", "list", "--trace", "nonsense").code == 1


def test_a_command_goes_on_with_the_trace_of_whoever_runs_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    monkeypatch.setenv("TRACEPARENT", f"00-{trace}-00f067aa0ba902b7-01")
    assert shell("keys", "create", "one").code == 0
    assert [entry["action"] for entry in shell("audit", "list", "--trace", trace, "--json").json["entries"]] == [
        "create_key"
    ]


def test_a_whole_trail_is_told_from_one_that_was_touched(shell: Shell, tmp_path: Path) -> None:
    assert shell("keys", "create", "one").code == 0
    whole = shell("audit", "verify")
    assert (whole.code, whole.out) == (0, "The audit trail is whole: 1 entries.\n")
    with closing(sqlite3.connect(tmp_path / "data" / "gateway.sqlite3")) as database:
        database.execute("UPDATE audit SET trace_id = ''")
        database.commit()
    broken = shell("audit", "verify")
    assert (broken.code, broken.out) == (1, "The audit trail is broken at entry 1: it was changed.\n")
    told = shell("audit", "verify", "--json")
    assert told.code == 1
    assert told.json["firstBroken"] == 1


def test_a_trail_whose_oldest_entries_were_deleted_for_their_age_is_whole(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.security.audit.SEGMENT", 2)
    for name in ("one", "two", "three"):
        assert shell("keys", "create", name).code == 0
    asyncio.run(_deleted(tmp_path / "data"))
    whole = shell("audit", "verify")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert (whole.code, whole.out) == (
        0,
        f"The audit trail is whole: 1 entries, after 2 deleted ones (up to {today}) for which a signed checkpoint stands.\n",
    )
    assert shell("audit", "verify", "--json").json["pruned"] == 2


async def _deleted(data: Path) -> None:
    async with Database(f"sqlite:///{data / 'gateway.sqlite3'}") as database:
        box = SecretsBox.from_setting("", data / "secrets.key")
        trail = AuditTrail(database, lambda: datetime.now(UTC), Redactor(), box=box)
        later = datetime.now(UTC) + timedelta(days=1)
        assert await database.run(lambda session: trail.prune(session, before=later)) == 2
