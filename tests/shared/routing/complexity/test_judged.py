"""What of a conversation is judged."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from shared.routing.complexity.judged import MAX_PARTS, judged_text
from shared.routing.complexity.reading import HEAD, TAIL

TASK = "Write a parser for this grammar, with tests."


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


SYSTEM = {"role": "system", "content": "You are a careful assistant."}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {}}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "a very long listing"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    "messages",
    [
        [user(TASK)],
        [SYSTEM, user("What is a grammar, and who invented it?"), user(TASK)],
        [SYSTEM, user(TASK), CALL, RESULT, CALL, RESULT],
        [user(TASK), CALL, user([{"type": "tool_result", "tool_use_id": "1", "content": "text of a result"}])],
        [user([IMAGE, {"type": "text", "text": TASK}])],
        [
            user(
                [{"type": "input_text", "text": TASK}, {"type": "text", "text": None}, "odd", None, {"text": "no type"}]
            )
        ],
        [user(f"  {TASK}\n\n"), user(""), user(None), user([]), user([IMAGE]), user(7), user("  \n")],
        [user(TASK), {"role": "assistant", "content": "Here it is."}],
    ],
)
def test_the_last_thing_the_user_asked_for_is_judged(messages: Sequence[Mapping[str, Any]]) -> None:
    assert judged_text(messages) == TASK


@pytest.mark.parametrize("little", ["go on", "yes, please", "继续"])
def test_a_message_that_says_little_is_judged_with_the_one_before_it(little: str) -> None:
    messages = [
        user("An older question, long enough."),
        user(TASK),
        {"role": "assistant", "content": "?"},
        user(little),
    ]
    assert judged_text(messages) == f"{TASK}\n{little}"
    assert judged_text([user(little)]) == little


def test_without_words_of_the_user_the_instructions_are_judged() -> None:
    assert judged_text([SYSTEM, user([IMAGE])]) == SYSTEM["content"]
    assert judged_text([{"role": "developer", "content": TASK}]) == TASK


@pytest.mark.parametrize("messages", [[], [user(None)], [{}], [{"role": None, "content": None}], [{"content": TASK}]])
def test_without_any_words_nothing_is_judged(messages: Sequence[Mapping[str, Any]]) -> None:
    assert judged_text(messages) == ""


@pytest.mark.parametrize(
    "content",
    [
        "x" * 1_000_000,
        [{"type": "text", "text": "x" * 1_000_000}] * 3,
        [{"type": "text", "text": "x"}] * 100_000,
    ],
)
def test_what_is_judged_is_bounded(content: object) -> None:
    assert len(judged_text([user(content)])) <= HEAD + TAIL + 1


def test_of_a_long_message_the_head_and_the_tail_are_judged() -> None:
    text = judged_text([user("First words. " + "x" * 1_000_000 + " last words")])
    assert text.startswith("First words.")
    assert text.endswith("last words")


def test_of_many_parts_some_are_looked_at() -> None:
    looked: list[object] = []

    class Part(dict[str, object]):
        def get(self, key: str, default: object = None) -> Any:
            looked.append(key)
            return super().get(key, default)

    judged_text([user([Part(type="text", text="x") for _ in range(50_000)])])
    assert 0 < len(looked) <= 4 * MAX_PARTS


def test_of_many_messages_only_those_up_to_the_last_request_are_looked_at() -> None:
    class Conversation(list[Mapping[str, Any]]):
        looked = 0

        def __reversed__(self) -> Iterator[Mapping[str, Any]]:
            for message in super().__reversed__():
                self.looked += 1
                yield message

    conversation = Conversation([user("old question number one")] * 10_000 + [user(TASK), CALL, RESULT])
    assert judged_text(conversation) == TASK
    assert conversation.looked == 3
