import inspect

import orjson
import pytest

from http_api.errors import STATUS, HttpError, body_of, event_of, from_status, headers_of, internal_error, status_of
from shared import errors
from shared.errors import GatewayError


def concrete() -> list[type[GatewayError]]:
    found = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, GatewayError) and kind is not GatewayError
    ]
    assert len(found) > 15
    return found


@pytest.mark.parametrize("kind", concrete(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_core_has_its_own_entry(kind: type[GatewayError]) -> None:
    assert 400 <= STATUS[kind] < 600


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput("x"), 400),
        (errors.Unsupported("x"), 400),
        (errors.Unauthenticated("x"), 401),
        (errors.Forbidden("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.HostKeyChanged("x"), 409),
        (errors.RateLimited("x"), 429),
        (errors.Overloaded("x"), 503),
        (errors.Unavailable("x"), 503),
        (errors.UpstreamError("x"), 502),
        (errors.UpstreamTimeout("x"), 504),
        (errors.UpstreamThrottled("x"), 429),
        (errors.UpstreamBadRequest("x"), 400),
        (errors.TerminalError("x"), 502),
        (HttpError(418, "teapot", "x"), 418),
        (GatewayError("x"), 500),
    ],
)
def test_an_error_has_its_status(error: GatewayError, status: int) -> None:
    assert status_of(error) == status


def test_a_subclass_from_elsewhere_inherits_the_status_of_its_parent() -> None:
    class Narrower(errors.NotFound):
        pass

    assert status_of(Narrower("x")) == 404


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.RateLimited("x", retry_after=2.1), b"3"),
        (errors.RateLimited("x"), b"1"),
        (errors.Overloaded("x"), b"1"),
        (errors.UpstreamThrottled("x", retry_after=0), b"1"),
        (errors.Unavailable("x", retry_after=30), b"30"),
    ],
)
def test_a_client_is_told_when_to_come_back(error: GatewayError, seconds: bytes) -> None:
    assert (b"retry-after", seconds) in headers_of(error, status_of(error), failed_over=False)


def test_an_error_that_waiting_does_not_heal_has_no_retry_after() -> None:
    assert headers_of(errors.Unavailable("x"), 503, failed_over=False) == []


def test_sdks_are_told_not_to_repeat_what_the_gateway_has_repeated() -> None:
    told = (b"x-should-retry", b"false")
    assert told in headers_of(errors.UpstreamError("x"), 502, failed_over=False)
    assert told in headers_of(errors.Unavailable("x"), 503, failed_over=True)
    assert told not in headers_of(errors.Unavailable("x"), 503, failed_over=False)
    assert told not in headers_of(errors.RateLimited("x"), 429, failed_over=True)


def test_the_flat_form_always_has_all_four_fields() -> None:
    body = orjson.loads(body_of(errors.NotFound("No such model."), 404, "r1", form="flat"))
    assert body == {"error": "No such model.", "details": "", "code": "not_found", "requestId": "r1"}


def test_the_openai_form_names_type_and_parameter() -> None:
    error = errors.InvalidInput("x", details={"fields": [{"field": "messages", "reason": "missing"}]})
    body = orjson.loads(body_of(error, 400, "r1", form="openai"))
    assert body == {
        "error": {"message": "x", "type": "invalid_request_error", "param": "messages", "code": "invalid_request"},
        "details": {"fields": [{"field": "messages", "reason": "missing"}]},
        "requestId": "r1",
    }


def test_details_that_json_does_not_know_do_not_break_the_answer() -> None:
    body = orjson.loads(body_of(errors.Conflict("x", details={"path": {1: object}}), 409, "r", form="flat"))
    assert body["error"] == "x"


def test_the_event_that_ends_a_broken_stream_has_openais_form() -> None:
    event = event_of(errors.UpstreamTimeout("too slow", details={"a": 1}))
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert orjson.loads(event[6:]) == {
        "error": {"message": "too slow", "type": "timeout_error", "code": "provider_timeout", "details": {"a": 1}}
    }


def test_operator_detail_is_never_sent() -> None:
    error = errors.UpstreamError("It failed.", operator_detail="key sk-123 refused")
    assert b"sk-123" not in body_of(error, 502, "r", form="flat") + body_of(error, 502, "r", form="openai")
    assert b"sk-123" not in event_of(error)


def test_an_internal_error_says_nothing_of_the_inside() -> None:
    assert internal_error().status == 500
    assert internal_error().code == "internal_error"


def test_a_bare_status_becomes_an_error() -> None:
    assert from_status(405).code == "method_not_allowed"
    assert from_status(799).status == 799
