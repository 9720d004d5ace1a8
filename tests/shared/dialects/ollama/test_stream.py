from typing import Any

import orjson
import pytest

from shared.dialects.ollama.answer import Asked, LineStream, Spent, whole_of
from shared.domain.usage import Usage
from shared.errors import UpstreamBadAnswer

ASKED = Asked(kind="chat", model="m", created_at="2026-01-01T00:00:00Z", names={"short": "long"})


def chunk(delta: dict[str, Any], **choice: Any) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta, **choice}]}) + b"\n\n"


def lines(*runs: bytes) -> list[dict[str, Any]]:
    stream = LineStream(ASKED)
    told = b"".join([*(stream.feed(run) for run in runs), stream.finish(Usage(prompt=3, completion=2), Spent(9, 4))])
    return [orjson.loads(line) for line in told.splitlines()]


def test_calls_that_come_in_pieces_side_by_side_are_told_whole() -> None:
    def piece(index: int, **function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "id": f"c{index}", "function": function}]}

    called, last = lines(
        chunk(piece(0, name="short", arguments='{"a"')),
        chunk(piece(1, name="b", arguments="")),
        chunk(piece(0, arguments=":1}")),
        chunk({}, finish_reason="tool_calls"),
    )
    assert called["message"]["tool_calls"] == [
        {"id": "c0", "function": {"index": 0, "name": "long", "arguments": {"a": 1}}},
        {"id": "c1", "function": {"index": 1, "name": "b", "arguments": {}}},
    ]
    assert (called["done"], last["done"], last["done_reason"]) == (False, True, "stop")


def test_the_last_line_says_why_it_ended_and_what_it_took() -> None:
    first, last = lines(chunk({"content": "a"}), chunk({}, finish_reason="length"))
    assert first["message"] == {"role": "assistant", "content": "a"}
    assert last["done_reason"] == "length"
    assert (last["prompt_eval_count"], last["eval_count"]) == (3, 2)
    assert (last["total_duration"], last["prompt_eval_duration"], last["eval_duration"]) == (9, 4, 5)


def test_a_refusal_is_told_as_text_and_other_choices_are_left_out() -> None:
    other = b'data: {"choices":[{"index":1,"delta":{"content":"other"}}]}\n\n'
    assert [line["message"]["content"] for line in lines(chunk({"refusal": "no"}), other)] == ["no", ""]
    whole = whole_of(ASKED, {"choices": [{"message": {"content": None, "refusal": "no"}}]}, Usage(), Spent(1))
    assert whole["message"]["content"] == "no"


def test_parts_of_a_content_are_one_text() -> None:
    message = {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "reasoning": "t"}
    told = whole_of(ASKED, {"choices": [{"message": message}]}, Usage(), Spent(1))["message"]
    assert (told["content"], told["thinking"]) == ("ab", "t")


def test_an_answer_without_choices_ends_all_the_same() -> None:
    assert whole_of(ASKED, {}, Usage(), Spent(1))["done"] is True


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b'data: {"choices":[1]}\n\n'])
def test_what_is_not_a_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(UpstreamBadAnswer):
        LineStream(ASKED).feed(data)
