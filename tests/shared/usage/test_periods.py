"""Calendar days and months in UTC."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.usage.periods import span_of


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("period", "moment", "name", "start", "end"),
    [
        ("day", "2026-11-24T06:00:00+00:00", "2026-11-24", "2026-11-24", "2026-11-25"),
        ("day", "2026-11-24T00:00:00+00:00", "2026-11-24", "2026-11-24", "2026-11-25"),
        ("day", "2026-11-24T23:59:59.999999+00:00", "2026-11-24", "2026-11-24", "2026-11-25"),
        ("day", "2026-11-25T01:30:00+09:00", "2026-11-24", "2026-11-24", "2026-11-25"),
        ("month", "2026-11-24T06:00:00+00:00", "2026-11", "2026-11-01", "2026-12-01"),
        ("month", "2026-12-31T23:59:59+00:00", "2026-12", "2026-12-01", "2027-01-01"),
        ("month", "2028-02-29T12:00:00+00:00", "2028-02", "2028-02-01", "2028-03-01"),
        ("month", "2026-12-01T08:59:59+09:00", "2026-11", "2026-11-01", "2026-12-01"),
    ],
)
def test_a_moment_is_in_one_period(period: Any, moment: str, name: str, start: str, end: str) -> None:
    span = span_of(period, at(moment))
    assert (span.name, span.start, span.end) == (
        name,
        at(start).replace(tzinfo=UTC),
        at(end).replace(tzinfo=UTC),
    )
    assert span.holds(period, at(moment))
    assert span.end is not None
    assert not span.holds(period, span.end)


def test_a_total_has_no_end() -> None:
    span = span_of("total", at("2026-11-24T06:00:00+00:00"))
    assert (span.name, span.start, span.end) == ("total", None, None)
    assert span.holds("total", at("2999-01-01T00:00:00+00:00"))
    assert not span.holds("day", at("2026-11-24T06:00:00+00:00"))
