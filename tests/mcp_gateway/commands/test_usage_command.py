"""`mcp-gateway usage`."""

import asyncio
import csv
import io
import os
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.storage import schema
from shared.storage.database import Database
from shared.usage.ledger import Entry, Ledger
from tests.mcp_gateway.commands.conftest import Shell, on_terminal

FIRST = datetime(2026, 3, 4, 12, tzinfo=UTC)
THIRD = datetime(2026, 3, 6, 12, tzinfo=UTC)
SPAN = ("--from", "2026-03-01", "--to", "2026-04-01")
ENTRY = Entry(
    at=FIRST,
    request_id="",
    caller="local",
    model_id="openai/cheap",
    provider="openai",
    layer="L1",
    prompt_tokens=1000,
    completion_tokens=200,
    cached_tokens=0,
    cost=Decimal("0.0000125"),
    outcome="ok",
    estimated=False,
    duration_ms=12,
    tags={},
)


def used(*changes: dict[str, Any]) -> None:
    """Write usage into the database that the commands will open."""

    async def write() -> None:
        folder = Path(os.environ["DATA_DIR"])
        async with Database(f"sqlite:///{folder / 'gateway.sqlite3'}") as database:
            schema.upgrade(database)
            ledger = Ledger(database, lambda: FIRST)
            for change in changes:
                ledger.record(replace(ENTRY, **change))
            await ledger.flush()

    asyncio.run(write())


def test_a_day_is_a_line_with_its_exact_cost_and_a_bar(shell: Shell) -> None:
    used({}, {"at": THIRD, "cost": Decimal("0.000025")}, {"at": THIRD, "outcome": "cancelled", "cost": Decimal(0)})
    done = shell("usage", *SPAN)
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == ["day", "requests", "failed", "calls", "tokens", "in", "out", "cost", "$", "by", "cost"]
    assert lines[1] == ["2026-03-04", "1", "0", "1,000", "200", "0.0000125", "█" * 10]
    assert lines[2] == ["2026-03-05", "0", "0", "0", "0", "0.0000000"], "a day without use is a gap in the chart"
    assert lines[3] == ["2026-03-06", "2", "1", "2,000", "400", "0.0000250", "█" * 20]
    assert lines[4] == ["total", "3", "1", "3,000", "600", "0.0000375"]
    assert len(lines) == 5


def test_what_is_not_priced_is_flagged_and_what_to_do_is_said(shell: Shell) -> None:
    used({"cost": None}, {"cost": None}, {"cost": None, "at": THIRD}, {"at": THIRD, "purpose": "hedge"})
    out = shell("usage", *SPAN).out
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][-3:] == ["unpriced", "by", "cost"]
    assert lines[1][-3:] == ["not", "known", "+2"]
    assert lines[3][-3:-1] == ["0.0000125", "+1"]
    assert lines[4][-2:] == ["0.0000125", "+3"]
    assert "$0.0000125 of this went to failed calls, hedges" in out
    assert "The price of 3 calls is not known, so they are not in the cost" in out
    assert "pricePer1kInputTokens" in out


def test_one_call_without_a_price_is_one(shell: Shell) -> None:
    used({"cost": None}, {})
    assert "The price of 1 call is not known, so it is not in the cost" in shell("usage", *SPAN).out


def test_groups_come_the_most_expensive_first(shell: Shell) -> None:
    used({}, {"model_id": "openai/dear", "cost": Decimal(2)}, {"model_id": "x/new\x1b[2J", "cost": None})
    done = shell("usage", *SPAN, "--by", "model")
    assert [line.split()[0] for line in done.out.splitlines()[:5]] == [
        "model",
        "openai/dear",
        "openai/cheap",
        "x/new\\u001b[2J",
        "total",
    ]
    assert "tag:team" in shell("usage", *SPAN, "--by", "tag:team").out
    assert "(none)" in shell("usage", *SPAN, "--by", "tag:team").out


def test_without_any_cost_the_bars_show_requests(shell: Shell) -> None:
    used({"cost": Decimal(0)}, {"cost": Decimal(0), "at": THIRD}, {"cost": Decimal(0), "at": THIRD})
    lines = shell("usage", *SPAN).out.splitlines()
    assert lines[0].endswith("by requests")
    assert (lines[1].count("█"), lines[3].count("█")) == (10, 20)


def test_filters_choose_rows(shell: Shell) -> None:
    used({}, {"provider": "other", "tags": {"team": "red"}})
    for option in (("--provider", "other"), ("--tag", "team:red"), ("--tag", "team=red")):
        assert shell("usage", *SPAN, *option, "--json").json["total"]["attempts"] == 1


def test_json_and_csv_are_for_scripts(shell: Shell) -> None:
    used({}, {"model_id": "=evil()", "cost": None})
    report = shell("usage", *SPAN, "--by", "model", "--json").json
    assert [group["costUsd"] for group in report["groups"]] == [None, 0.0000125]
    done = shell("usage", *SPAN, "--by", "model", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    assert [(row["group"], row["costUsd"]) for row in rows] == [("'=evil()", ""), ("openai/cheap", "0.0000125")]
    assert shell("usage", "--csv", "--json").code == 2


def test_nothing_used_says_what_to_do(shell: Shell) -> None:
    done = shell("usage", *SPAN)
    assert done.code == 0
    assert done.out.startswith("Nothing was used from 2026-03-01 00:00 to 2026-04-01 00:00 (UTC).\n")
    assert "mcp-gateway chat" in done.out
    assert shell("usage", "--json").json["groups"] == []
    assert len(shell("usage", "--csv").out.splitlines()) == 1


def test_nothing_written_down_says_why(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_COST_TRACKING", "false")
    assert "ENABLE_COST_TRACKING is off" in shell("usage").out


def test_wrong_options_are_named(shell: Shell) -> None:
    done = shell("usage", "--by", "colour")
    assert done.code == 1
    assert "tag:NAME" in done.err
    assert "'from'" in shell("usage", "--from", "yesterday").err
    assert "NAME=VALUE or NAME:VALUE" in shell("usage", "--tag", "team:").err


def test_on_a_terminal_a_row_stays_one_line(shell: Shell, environ: dict[str, str]) -> None:
    used({}, {"at": THIRD, "cost": Decimal("1234.567890123456")})
    for columns in (80, 120):
        lines = on_terminal(environ, columns, "usage", *SPAN).splitlines()
        assert [line.split()[0] for line in lines[1:5]] == ["2026-03-04", "2026-03-05", "2026-03-06", "total"]
        assert max(map(len, lines)) <= columns
        assert lines[3].count("█") >= 8
        assert "1234.567890123456" in lines[3]


def test_long_names_are_folded_on_a_narrow_terminal(shell: Shell, environ: dict[str, str]) -> None:
    name = "openrouter/" + "a-very-long-name-of-a-model-" * 3
    used({"model_id": name, "cost": None})
    lines = on_terminal(environ, 80, "usage", *SPAN, "--by", "model").splitlines()
    assert max(len(line) for line in lines[: lines.index("")]) <= 80
    assert "unpriced" in "\n".join(lines)
