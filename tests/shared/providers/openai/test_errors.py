"""Failures and their classes: by status and structured code, never by words."""

from typing import Any

import orjson
import pytest

from shared import errors as tree
from shared.providers.openai import errors


def failure(status: int, error: Any, **headers: str) -> tree.UpstreamError:
    return errors.from_response("openai", status, headers, orjson.dumps({"error": error}), secret="the-key")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"code": "content_policy_violation"}),
        (400, {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}),
        (400, {"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}),
        (400, {"code": "invalid_prompt", "type": "invalid_request_error"}),
        (400, {"code": "data_inspection_failed"}),
        (403, {"code": 403, "metadata": {"reasons": ["violence"], "flagged_input": "…"}}),
        (403, {"code": 403, "metadata": {"flagged_input": "…"}}),
    ],
)
def test_what_a_providers_rules_forbid_is_a_refusal_that_another_may_answer(status: int, error: Any) -> None:
    found = failure(status, error)
    assert type(found) is tree.UpstreamRefused
    assert found.retryable


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (503, {}),
        (529, {}),
        (503, {"type": "server_error"}),
        (429, {"type": "engine_overloaded_error"}),
        (500, {"type": "overloaded_error"}),
    ],
)
def test_a_provider_that_is_overloaded_is_told_from_one_that_throttles(status: int, error: Any) -> None:
    assert type(failure(status, error)) is tree.UpstreamOverloaded
    assert failure(status, error, **{"retry-after": "3"}).retry_after == 3


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (403, {"code": 403, "metadata": {"provider_name": "x"}}, tree.UpstreamAuthFailed),
        (400, {"type": "exceed_context_size_error", "code": 400}, tree.UpstreamContextTooLong),
        (400, {"message": "content_policy_violation in words only"}, tree.UpstreamBadRequest),
        (429, {"message": "overloaded in words only"}, tree.UpstreamThrottled),
        (413, {"code": "rate_limit_exceeded"}, tree.UpstreamThrottled),
        (502, {}, tree.UpstreamError),
    ],
)
def test_the_others_stay_what_they_are(status: int, error: Any, kind: type[tree.UpstreamError]) -> None:
    assert type(failure(status, error)) is kind


def test_googles_list_of_errors_is_read() -> None:
    body = orjson.dumps([{"error": {"code": 400, "message": "Bad.", "status": "INVALID_ARGUMENT"}}])
    found = errors.from_response("google", 400, {}, body)
    assert (type(found), found.details) == (tree.UpstreamBadRequest, "Bad.")


def test_fastapis_word_for_a_message_is_read() -> None:
    found = errors.from_response("own", 422, {}, b'{"detail": "no such field, the-key"}', secret="the-key")
    assert found.details == "no such field, ***"


@pytest.mark.parametrize("code", [0, -1, 7, 10**30, True])
def test_a_code_that_is_no_status_is_none(code: int) -> None:
    assert errors.from_event("own", {"code": code}).status is None


@pytest.mark.parametrize(
    "answer", [None, [], 5, "x", {}, {"error": None}, {"error": {}}, {"choices": None}, {"choices": [1]}]
)
def test_no_error_is_found_where_there_is_none(answer: Any) -> None:
    assert errors.reported(answer) is None
