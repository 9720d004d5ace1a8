"""What is picked out of a stream."""

import orjson
import pytest

from mcp_gateway.calls.reply import Reply
from shared.errors import UpstreamError


def events(*chunks: object) -> bytes:
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks)


def delta(finish: str | None = None, **fields: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def test_text_reason_and_usage_are_gathered() -> None:
    reply = Reply()
    reply.take(events(delta(role="assistant", content=""), delta(content="Hel")))
    assert reply.text == "Hel"
    reply.take(
        b": a comment\n\n"
        + events(
            delta(content="lo ✓"), delta("stop"), {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
        )
        + b"data: [DONE]\n\n"
    )
    assert reply.text == "Hello ✓"
    assert reply.size == len("Hello ✓".encode())
    assert reply.finish_reason == "stop"
    assert reply.usage
    assert (reply.usage.prompt, reply.usage.completion) == (3, 2)


def test_what_is_no_text_is_passed_over() -> None:
    reply = Reply()
    reply.take(
        events(delta(reasoning_content="hm"), delta(tool_calls=[{"index": 0}]), {"object": "x"}, {"choices": None})
    )
    assert reply.text == ""
    assert reply.usage is None


def test_a_refusal_is_an_answer() -> None:
    reply = Reply()
    reply.take(events(delta(refusal="I will not.")))
    assert reply.text == "I will not."


@pytest.mark.parametrize("data", [b"garbage}", b'{"choices":', b"[1]", b"5", b"\xff"])
def test_an_event_that_is_no_chunk_is_a_broken_answer(data: bytes) -> None:
    reply = Reply()
    with pytest.raises(UpstreamError, match="The provider sent an event"):
        reply.take(events(delta(content="kept")) + b"data: " + data + b"\n\n")
    assert reply.text == "kept"


@pytest.mark.parametrize(
    "chunk",
    [{"choices": 5}, {"choices": "x"}, {"choices": [5]}, {"choices": [{"delta": "x"}]}, delta(5), {"usage": 5}],  # type: ignore[arg-type]
)
def test_fields_of_the_wrong_shape_are_passed_over(chunk: object) -> None:
    reply = Reply()
    reply.take(events(delta(content="kept"), chunk, delta("stop", content=" too")))
    assert (reply.text, reply.finish_reason) == ("kept too", "stop")


def test_the_last_event_of_a_judged_stream_has_notes() -> None:
    reply = Reply()
    notes = {"crossCheck": {"verdict": "confirmed"}, "costUsd": 0.2}
    reply.take(
        events(delta(content="4"), {"choices": [], "usage": {"prompt_tokens": 1, "cost": 0.1}, "gateway": notes})
    )
    assert (reply.text, reply.notes) == ("4", notes)


def test_notes_of_the_wrong_shape_are_passed_over() -> None:
    reply = Reply()
    reply.take(events({"choices": [], "gateway": "x"}))
    assert reply.notes == {}
