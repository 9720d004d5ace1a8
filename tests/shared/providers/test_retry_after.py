"""How long a provider asks callers to wait, in each of the forms that providers use."""

from typing import Any

import pytest

from shared.providers import retry_after

NOW = 1_790_000_000.0


def seconds(headers: dict[str, str], error: Any = None) -> float | None:
    return retry_after.seconds(headers, error, clock=lambda: NOW)


@pytest.mark.parametrize(
    ("headers", "error", "expected"),
    [
        ({"retry-after": "7"}, None, 7),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None, 0),
        ({"retry-after-ms": "1500"}, None, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, None, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, None, 2),
        ({"x-ratelimit-reset": "30"}, None, 30),
        ({"x-ratelimit-reset": str(int(NOW) + 40)}, None, 40),
        ({"x-ratelimit-reset": str((int(NOW) + 50) * 1000)}, None, 50),
        ({"x-ratelimit-reset": str(int(NOW) - 5)}, None, 0),
        ({}, {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]}, 34.5),
        ({}, {"metadata": {"headers": {"X-RateLimit-Reset": str((int(NOW) + 60) * 1000)}}}, 60),
        ({"retry-after": "99999999"}, None, retry_after.LONGEST),
    ],
)
def test_a_wait_is_read_in_every_form(headers: dict[str, str], error: Any, expected: float) -> None:
    assert seconds(headers, error) == expected


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"x-ratelimit-reset": "6m0s"}, None),
        ({}, []),
        ({}, {"details": "x", "metadata": {"headers": [1]}}),
        ({}, {"details": [1, {"retryDelay": 3}, {"retryDelay": "soon"}]}),
        ({}, {"metadata": {"headers": {"X-RateLimit-Reset": True}}}),
    ],
)
def test_what_names_no_time_is_none(headers: dict[str, str], error: Any) -> None:
    assert seconds(headers, error) is None
