"""Failures and their classes."""

from collections.abc import Callable

import orjson
import pytest

from shared import errors as tree
from shared.providers.anthropic import errors

KEY = "sk-ant-api03-very-secret"


def failure(
    status: int, kind: str | None = None, message: str = "No.", *, code: str | None = None, **headers: str
) -> tree.UpstreamError:
    error = {"type": kind, "message": message, **({"details": {"error_code": code}} if code else {})}
    body = orjson.dumps({"type": "error", "error": error}) if kind else b"<html>Bad gateway</html>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return errors.from_response("anthropic", status, named, body, secret=KEY)


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", tree.UpstreamBadRequest),
        (401, "authentication_error", tree.UpstreamAuthFailed),
        (402, "billing_error", tree.UpstreamQuota),
        (403, "permission_error", tree.UpstreamAuthFailed),
        (404, "not_found_error", tree.UpstreamError),
        (413, "request_too_large", tree.UpstreamBadRequest),
        (429, "rate_limit_error", tree.UpstreamThrottled),
        (500, "api_error", tree.UpstreamError),
        (504, "timeout_error", tree.UpstreamTimeout),
        (529, "overloaded_error", tree.UpstreamOverloaded),
        (529, "api_error", tree.UpstreamOverloaded),
    ],
)
def test_the_type_of_an_error_says_its_class(status: int, kind: str, expected: type[tree.UpstreamError]) -> None:
    found = failure(status, kind)
    assert type(found) is expected
    assert found.status == status
    assert found.message.startswith(f"anthropic answered {status}: ")
    assert found.message.endswith(".")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, tree.UpstreamBadRequest),
        (401, tree.UpstreamAuthFailed),
        (402, tree.UpstreamQuota),
        (403, tree.UpstreamAuthFailed),
        (404, tree.UpstreamError),
        (408, tree.UpstreamTimeout),
        (413, tree.UpstreamBadRequest),
        (422, tree.UpstreamBadRequest),
        (429, tree.UpstreamThrottled),
        (302, tree.UpstreamError),
        (418, tree.UpstreamError),
        (502, tree.UpstreamError),
        (503, tree.UpstreamOverloaded),
        (504, tree.UpstreamTimeout),
        (529, tree.UpstreamOverloaded),
    ],
)
def test_without_a_type_the_status_says_it(status: int, expected: type[tree.UpstreamError]) -> None:
    assert type(failure(status)) is expected


@pytest.mark.parametrize(
    ("status", "kind", "code", "expected"),
    [
        (429, "rate_limit_error", "enforced_spend_limit_reached", tree.UpstreamQuota),
        (429, "rate_limit_error", "ramp_limit_exceeded", tree.UpstreamThrottled),
        (400, "invalid_request_error", "organization_on_hold", tree.UpstreamAuthFailed),
    ],
)
def test_a_finer_code_wins(status: int, kind: str, code: str, expected: type[tree.UpstreamError]) -> None:
    found = failure(status, kind, code=code)
    assert type(found) is expected
    assert code in found.operator_detail


def test_unknown_words_of_a_message_never_decide() -> None:
    found = failure(400, "invalid_request_error", "messages: rate limit, billing, authentication")
    assert type(found) is tree.UpstreamBadRequest
    assert found.message == "anthropic answered 400: messages: rate limit, billing, authentication"
    assert not found.retryable


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", tree.UpstreamContextTooLong),
        ("input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000", tree.UpstreamContextTooLong),
        ("Your credit balance is too low to access the Anthropic API.", tree.UpstreamQuota),
    ],
)
def test_a_bad_request_is_what_its_sentence_says(sentence: str, kind: type[tree.UpstreamError]) -> None:
    assert type(failure(400, "invalid_request_error", sentence)) is kind


def test_a_sentence_decides_nothing_under_another_status() -> None:
    assert type(failure(529, "overloaded_error", "prompt is too long")) is tree.UpstreamOverloaded


def test_an_unknown_model_may_be_tried_elsewhere() -> None:
    found = failure(404, "not_found_error", "model: claude-nope")
    assert found.retryable
    assert "apiModelName" in found.message
    assert found.details == "model: claude-nope"


def test_the_wait_that_a_limit_asks_for_is_kept() -> None:
    assert failure(429, "rate_limit_error", retry_after="7").retry_after == 7
    assert failure(429, "rate_limit_error").retry_after is None


def test_what_the_provider_said_is_kept_but_not_without_end() -> None:
    found = failure(400, "invalid_request_error", "x" * 2_000, request_id="req_1")
    assert found.details == "x" * 500
    assert found.operator_detail == "invalid_request_error req_1"


@pytest.mark.parametrize(
    "message", [f"bad key {KEY}", "bad key sk-ant-other-one", "Authorization: Bearer abc.def", f"{KEY} and Bearer x"]
)
def test_a_secret_is_never_repeated(message: str) -> None:
    found = failure(400, "invalid_request_error", message)
    assert found.details == ""
    shown = f"{found.message} {found.operator_detail}"
    assert "[redacted]" in shown
    for secret in (KEY, "sk-ant-other-one", "abc.def"):
        assert secret not in shown


def test_a_key_of_no_known_form_is_not_repeated_either() -> None:
    body = orjson.dumps({"error": {"type": "invalid_request_error", "message": "bad key plain-key-1"}})
    found = errors.from_response("anthropic", 400, {}, body, secret="plain-key-1")
    assert "plain-key-1" not in f"{found.message} {found.details} {found.operator_detail}"


@pytest.mark.parametrize(("status", "kind"), [(401, "authentication_error"), (402, "billing_error")])
def test_what_concerns_the_account_is_for_the_operator(status: int, kind: str) -> None:
    found = failure(status, kind, "Your organization is disabled.")
    assert found.details == ""
    assert "Your organization is disabled." in found.operator_detail


def test_an_error_inside_a_stream_is_classified_the_same_way(transcript: Callable[[str], bytes]) -> None:
    error = orjson.loads(transcript("error.json"))["error"]
    found = errors.from_event("anthropic", error)
    assert type(found) is tree.UpstreamOverloaded
    assert found.status is None
    assert "overloaded" in found.message
    assert type(errors.from_event("anthropic", {"type": "rate_limit_error"})) is tree.UpstreamThrottled


@pytest.mark.parametrize("error", [None, "text", [], {}, {"type": 5, "message": 6, "details": 7}])
def test_an_error_of_no_shape_is_still_a_failure(error: object) -> None:
    assert type(errors.from_event("anthropic", error)) is tree.UpstreamError


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b'{"error":"x"}', b"\xff"])
def test_a_body_of_no_shape_is_still_a_failure(body: bytes) -> None:
    assert type(errors.from_response("anthropic", 500, {}, body)) is tree.UpstreamError


def test_a_body_of_another_kind_than_a_stream_is_no_answer_or_the_error_that_it_holds() -> None:
    assert type(errors.no_stream("anthropic", b"<html>")) is tree.UpstreamBadAnswer
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}'
    assert type(errors.no_stream("anthropic", error)) is tree.UpstreamOverloaded


def test_a_stream_that_was_cut_is_a_network_fault() -> None:
    assert type(errors.cut_off("anthropic")) is tree.UpstreamNetwork
