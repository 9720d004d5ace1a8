"""Upper bounds of a prompt: whatever is in it counts, and nothing is worked out that no budget asks for."""

from typing import Any

import pytest

from shared.domain.bounds import MOST_SEARCHES, TOKENS_PER_FILE, TOKENS_PER_IMAGE, most_searches
from shared.domain.chat import ChatRequest
from shared.errors import InvalidInput

BIG = "é" * 1_000
BYTES = len(BIG.encode())


def most(content: Any = "hi", **body: Any) -> int:
    return ChatRequest.parse({"messages": [{"role": "user", "content": content}], **body}).bounded().facts.prompt_most


@pytest.mark.parametrize(
    "body",
    [
        {"content": BIG},
        {"content": [{"type": "text", "text": BIG}]},
        {"content": [{"type": "file", "file": {"file_data": BIG}}]},
        {"content": [{"type": "input_audio", "input_audio": {"data": BIG, "format": "wav"}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "description": BIG}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"description": BIG}}}},
        {"prediction": {"type": "content", "content": BIG}},
        {"metadata": {"unknown": BIG}},
    ],
)
def test_everything_that_is_sent_counts_byte_by_byte(body: dict[str, Any]) -> None:
    assert most(**body) >= BYTES


def test_an_image_counts_for_itself_and_not_for_the_bytes_that_it_comes_in() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    assert TOKENS_PER_IMAGE < most([image]) < TOKENS_PER_IMAGE + 1_000
    assert most([image, image]) > 2 * TOKENS_PER_IMAGE


def test_a_file_that_the_provider_has_counts_as_the_largest() -> None:
    assert most([{"type": "file", "file": {"file_id": "file-1"}}]) > TOKENS_PER_FILE


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({}, 0),
        ({"tools": [{"type": "function"}]}, 0),
        ({"tools": [{"type": "web_search_20250305"}]}, MOST_SEARCHES),
        ({"web_search_options": {}}, MOST_SEARCHES),
        ({"plugins": [{"id": "web"}]}, MOST_SEARCHES),
    ],
)
def test_searches_that_the_provider_may_make_count(payload: dict[str, Any], found: int) -> None:
    assert most_searches(payload) == found


def test_without_a_budget_nothing_is_worked_out() -> None:
    asked = ChatRequest.parse({"messages": [{"role": "user", "content": "hi"}]})
    assert asked.facts.prompt_most == 0
    assert asked.bounded().bounded() == asked.bounded()


def test_what_no_json_can_hold_is_refused() -> None:
    deep: Any = []
    for _ in range(1_000):
        deep = [deep]
    with pytest.raises(InvalidInput):
        most(metadata={"x": deep})
