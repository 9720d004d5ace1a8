"""Retry-After in its two forms."""

from shared.providers import retry_after


def test_retry_after_is_read_as_seconds_or_date() -> None:
    assert retry_after.seconds({"retry-after": "7"}) == 7
    assert retry_after.seconds({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after.seconds({"retry-after": "soon"}) is None
    assert retry_after.seconds({"retry-after": "nan"}) is None
    assert retry_after.seconds({}) is None
