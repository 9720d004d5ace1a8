"""Failures by status and structured code, whatever their words are."""

from typing import Any

import orjson
import pytest

from shared import errors as kinds
from shared.providers.ollama.errors import Reason, from_line, from_response, reason_of

OVERFLOW = {
    "type": "exceed_context_size_error",
    "code": 400,
    "message": "too long",
    "n_prompt_tokens": 2622,
    "n_ctx": 512,
}
WORDS = "context length exceeded, 404 not found, rate limit, unauthorized"


def body(error: Any) -> bytes:
    return orjson.dumps({"error": error})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, kinds.UpstreamBadRequest),
        (401, kinds.UpstreamAuthFailed),
        (402, kinds.UpstreamQuota),
        (403, kinds.UpstreamAuthFailed),
        (404, kinds.UpstreamError),
        (405, kinds.UpstreamBadRequest),
        (408, kinds.UpstreamTimeout),
        (413, kinds.UpstreamBadRequest),
        (429, kinds.UpstreamThrottled),
        (499, kinds.UpstreamError),
        (500, kinds.UpstreamError),
        (502, kinds.UpstreamError),
        (503, kinds.UpstreamOverloaded),
        (504, kinds.UpstreamTimeout),
    ],
)
def test_statuses(status: int, kind: type[kinds.UpstreamError]) -> None:
    error = from_response("oss-local", status, {"retry-after": "3"}, reason_of(body(WORDS)))
    assert type(error) is kind
    assert (error.status, error.details, error.retry_after) == (status, WORDS, 3)
    assert error.message.startswith(f"oss-local answered {status}: ")


@pytest.mark.parametrize("error", [orjson.dumps({"error": OVERFLOW}).decode(), OVERFLOW])
@pytest.mark.parametrize("status", [400, 500])
def test_a_prompt_that_is_too_long_has_a_code(status: int, error: Any) -> None:
    reason = reason_of(body(error))
    assert reason == Reason(message="too long", code="exceed_context_size_error", prompt=2622)
    assert type(from_response("p", status, {}, reason)) is kinds.UpstreamContextTooLong


def test_another_code_is_not_about_length_however_tight_it_was() -> None:
    inner = {"error": {"code": 400, "type": "invalid_request_error", "message": "Multimodal data provided"}}
    reason = reason_of(body(orjson.dumps(inner).decode()))
    assert reason == Reason(message="Multimodal data provided", code="invalid_request_error")
    assert type(from_response("p", 400, {}, reason, tight=True)) is kinds.UpstreamBadRequest


@pytest.mark.parametrize(
    ("status", "tight", "kind"),
    [
        (400, True, kinds.UpstreamContextTooLong),
        (400, False, kinds.UpstreamBadRequest),
        (500, True, kinds.UpstreamError),
    ],
)
def test_without_a_code_numbers_decide(status: int, tight: bool, kind: type[kinds.UpstreamError]) -> None:
    assert type(from_response("p", status, {}, reason_of(body(WORDS)), tight=tight)) is kind


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"{}", b'{"error": 7}', b'{"error": null}'])
def test_a_body_that_says_nothing(data: bytes) -> None:
    assert reason_of(data) == Reason()


@pytest.mark.parametrize("text", ["{not json", "{}", '{"error": "x"}', "plain"])
def test_a_sentence_stays_a_sentence(text: str) -> None:
    assert reason_of(body(text)) == Reason(message=text)


@pytest.mark.parametrize("prompt", [-1, "many", 10**12, None])
def test_a_count_that_is_none_is_not_believed(prompt: Any) -> None:
    assert reason_of(body({**OVERFLOW, "n_prompt_tokens": prompt})).prompt is None


def test_an_error_inside_a_stream_leaves_the_server_there() -> None:
    error = from_line("p", "an error was encountered while running the model")
    assert (type(error), error.status) == (kinds.UpstreamError, 500)
    assert type(from_line("p", {"type": "exceed_context_size_error"})) is kinds.UpstreamContextTooLong


def test_words_are_cut_and_the_key_is_taken_out() -> None:
    error = from_response("p", 500, {}, reason_of(body("key-123 " * 200)), secret="key-123")
    assert "key-123" not in error.details
    assert len(error.details) == 500
