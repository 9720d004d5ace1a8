"""Usage as CSV: read back by a CSV reader, harmless in a spreadsheet."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.operations.usage import UsageGroup, UsageReport
from shared.operations.usage_csv import csv_of

EMPTY: dict[str, Any] = dict.fromkeys(UsageGroup.model_fields, 0)


def report(*groups: dict[str, Any]) -> UsageReport:
    moment = datetime(2026, 3, 4, tzinfo=UTC)
    made = [UsageGroup.model_validate({**EMPTY, "group": "g", **group}) for group in groups]
    total = UsageGroup.model_validate({**EMPTY, "group": "total"})
    return UsageReport.model_validate(
        {"from": moment, "to": moment, "group_by": "model", "groups": made, "total": total}
    )


def test_one_line_a_group_below_the_names_of_the_api() -> None:
    text = csv_of(report({"group": "2026-03-04", "requests": 3, "attempts": 4, "cost_usd": Decimal("1E-7")}))
    head, line, rest = text.split("\r\n")
    assert head == (
        "group,requests,attempts,failed,promptTokens,completionTokens,cachedTokens,cacheWriteTokens,reasoningTokens,"
        "costUsd,overheadUsd,unpriced"
    )
    assert line == "2026-03-04,3,4,0,0,0,0,0,0,0.0000001,0.00,0"
    assert rest == ""


def test_a_cost_that_is_not_known_is_no_number() -> None:
    line = csv_of(report({"cost_usd": None, "overhead_usd": None, "unpriced": 2})).splitlines()[1]
    assert line.endswith(",,,2")


@pytest.mark.parametrize("name", ["a,b", 'say "hi"', "two\r\nlines", "é", ""])
def test_any_name_comes_back_as_it_was(name: str) -> None:
    rows = list(csv.reader(io.StringIO(csv_of(report({"group": name})), newline="")))
    assert (len(rows), rows[1][0]) == (2, name)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_cell_cannot_be_a_formula(name: str) -> None:
    rows = list(csv.reader(io.StringIO(csv_of(report({"group": name})), newline="")))
    assert rows[1][0] == f"'{name}"
