"""The audit trail on the wire."""

from datetime import UTC, datetime, timedelta, timezone

from shared.domain.audit import AuditQuery


def test_a_query_takes_times_with_and_without_a_zone() -> None:
    query = AuditQuery.model_validate({"from": "2026-11-24", "to": "2026-11-24T09:00:00+09:00"}, strict=True)
    assert query.start == datetime(2026, 11, 24, tzinfo=UTC)
    assert query.end == datetime(2026, 11, 24, 9, tzinfo=timezone(timedelta(hours=9)))
