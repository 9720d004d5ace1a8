"""Messages as turns."""

from typing import Any

import pytest

from shared.errors import InvalidInput
from shared.providers.anthropic.conversation import Conversation, conversation_of
from shared.providers.anthropic.traits import traits_of

MODEL = "claude-sonnet-4-5"
NEWER = "claude-opus-4-8"


def converse(*messages: dict[str, Any], model: str = MODEL, keep_thinking: bool = True) -> Conversation:
    return conversation_of(list(messages), traits_of(model), model, keep_thinking=keep_thinking)


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def assistant(content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def call(identity: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_system_and_developer_messages_become_the_system_prompt() -> None:
    mark = {"type": "ephemeral"}
    found = converse(
        {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": mark}]},
        {"role": "developer", "content": "Be kind."},
        user("Hi"),
    )
    assert found.system == [{**said("Be brief."), "cache_control": mark}, said("Be kind.")]
    assert found.turns == [user([said("Hi")])]


def test_turns_of_one_role_are_merged_and_empty_ones_left_out() -> None:
    found = converse(user("a"), user([{"type": "text", "text": "b"}]), assistant(""), user(""), user("c"))
    assert found.turns == [user([said("a"), said("b"), said("c")])]


def test_a_tool_conversation_is_one_call_turn_and_one_result_turn() -> None:
    found = converse(
        user("What now?"),
        assistant("Looking.", tool_calls=[call("c1", "time"), call("c2", "weather", '{"city":"Rome"}')]),
        {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
        {
            "role": "tool",
            "tool_call_id": "c2",
            "content": [{"type": "text", "text": "sun"}, {"type": "text", "text": "!"}],
        },
        user("And?"),
    )
    assert found.turns[1]["content"] == [
        said("Looking."),
        {"type": "tool_use", "id": "c1", "name": "time", "input": {}},
        {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Rome"}},
    ]
    assert found.turns[2] == user(
        [
            {"type": "tool_result", "tool_use_id": "c1", "content": "12:00"},
            {"type": "tool_result", "tool_use_id": "c2", "content": [said("sun"), said("!")]},
            said("And?"),
        ]
    )
    assert found.called == {"time", "weather"}


def test_results_come_before_what_the_user_said_in_the_same_turn() -> None:
    found = converse(
        user("x"), assistant(tool_calls=[call("c1")]), user("hm"), {"role": "tool", "tool_call_id": "c1", "content": ""}
    )
    assert found.turns[2]["content"] == [{"type": "tool_result", "tool_use_id": "c1"}, said("hm")]


def test_ids_of_other_providers_still_match_their_results() -> None:
    found = converse(
        user("x"),
        assistant(tool_calls=[call("functions.f:0")]),
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "1"},
    )
    assert found.turns[1]["content"][0]["id"] == found.turns[2]["content"][0]["tool_use_id"] == "functions_f_0"


def test_the_older_function_call_form_is_a_tool_call() -> None:
    found = converse(
        user("x"),
        assistant(function_call={"name": "f", "arguments": '{"a":1}'}),
        {"role": "function", "name": "f", "content": "1"},
    )
    use, result = found.turns[1]["content"][0], found.turns[2]["content"][0]
    assert use["input"] == {"a": 1}
    assert use["id"] == result["tool_use_id"]


def test_an_image_in_a_tool_result_stays_in_it() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}}
    found = converse(
        user("x"), assistant(tool_calls=[call("c1")]), {"role": "tool", "tool_call_id": "c1", "content": [image]}
    )
    assert found.turns[2]["content"][0]["content"][0]["type"] == "image"


def test_a_cache_mark_of_a_message_goes_on_its_last_block() -> None:
    mark = {"type": "ephemeral"}
    found = converse(user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], cache_control=mark))
    assert found.turns[0]["content"] == [said("a"), {**said("b"), "cache_control": mark}]


def test_a_cache_mark_inside_a_tool_result_moves_onto_it() -> None:
    mark = {"type": "ephemeral"}
    content = [{"type": "text", "text": "a", "cache_control": mark}, {"type": "text", "text": "b"}]
    found = converse(
        user("x"), assistant(tool_calls=[call("c1")]), {"role": "tool", "tool_call_id": "c1", "content": content}
    )
    (result,) = found.turns[2]["content"]
    assert result["cache_control"] == mark
    assert result["content"] == [said("a"), said("b")]


def test_a_cache_mark_of_a_call_stays_on_it_and_none_goes_on_thinking() -> None:
    mark = {"type": "ephemeral"}
    found = converse(user("x"), assistant(tool_calls=[{**call("c1"), "cache_control": mark}, call("c2")]), user("y"))
    assert ["cache_control" in block for block in found.turns[1]["content"]] == [True, False]
    thought = assistant(None, reasoning_details=[THOUGHT], cache_control=mark)
    assert "cache_control" not in converse(user("x"), thought, user("y")).turns[1]["content"][0]


THOUGHT = {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}
HIDDEN = {"type": "reasoning.encrypted", "data": "abc", "format": "anthropic-claude-v1", "index": 1}


def test_thinking_that_comes_back_stands_first_in_its_turn() -> None:
    found = converse(
        user("x"),
        assistant("y", reasoning_details=[{**THOUGHT, "model": MODEL}, HIDDEN], tool_calls=[call("c1")]),
        user("z"),
    )
    assert found.turns[1]["content"][:3] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "abc"},
        said("y"),
    ]
    assert found.has_thinking()
    assert not found.forbids_budget_thinking()


@pytest.mark.parametrize(
    "details",
    [
        [{**THOUGHT, "model": "claude-opus-4-5"}],
        [{**HIDDEN, "format": "openai-responses-v1"}],
        [{"type": "reasoning.text", "text": "no signature"}],
        ["nonsense"],
    ],
)
def test_thinking_of_another_model_is_left_out(details: Any) -> None:
    assert converse(user("x"), assistant("y", reasoning_details=details), user("z")).turns[1]["content"] == [said("y")]


def test_thinking_is_left_out_when_the_request_turns_it_off() -> None:
    found = converse(user("x"), assistant("y", reasoning_details=[THOUGHT]), user("z"), keep_thinking=False)
    assert not found.has_thinking()


def test_a_call_without_its_thinking_rules_out_a_budget() -> None:
    assert converse(
        user("x"), assistant(tool_calls=[call("c1")]), {"role": "tool", "tool_call_id": "c1", "content": "1"}
    ).forbids_budget_thinking()
    assert not converse(user("x"), assistant("y"), user("z")).forbids_budget_thinking()


NATIVE = [
    said("I look. "),
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
    {"type": "text", "text": "Found.", "citations": [{"type": "web_search_result_location"}]},
]


def test_blocks_of_an_earlier_answer_come_back_as_they_were() -> None:
    found = converse(user("x"), assistant("I look. Found.", anthropic_content=NATIVE), user("z"))
    assert found.turns[1]["content"] == NATIVE


def test_blocks_of_an_earlier_answer_are_dropped_when_the_caller_changed_the_message() -> None:
    found = converse(user("x"), assistant("Edited.", anthropic_content=NATIVE), user("z"))
    assert found.turns[1]["content"] == [said("Edited.")]
    other_calls = converse(
        user("x"), assistant("I look. Found.", anthropic_content=NATIVE, tool_calls=[call("c9")]), user("z")
    )
    assert [block["type"] for block in other_calls.turns[1]["content"]] == ["text", "tool_use"]


@pytest.mark.parametrize(
    "content", ["text", ["x"], [{}], [{"type": "text"}], [{"type": "tool_use", "id": "t"}], [{"type": []}]]
)
def test_blocks_of_no_shape_count_for_nothing(content: Any) -> None:
    assert converse(user("x"), assistant("y", anthropic_content=content), user("z")).turns[1]["content"] == [said("y")]


def test_a_refusal_is_what_the_assistant_said() -> None:
    found = converse(user("x"), assistant(None, refusal="I won't."), user("z"))
    assert found.turns[1]["content"] == [said("I won't.")]


def test_a_free_text_call_of_another_provider_is_kept() -> None:
    custom = {"id": "c1", "type": "custom", "custom": {"name": "code", "input": "print()"}}
    found = converse(user("x"), assistant(tool_calls=[custom]), {"role": "tool", "tool_call_id": "c1", "content": "1"})
    assert found.turns[1]["content"][0]["input"] == {"input": "print()"}


def test_a_result_may_say_that_the_tool_failed() -> None:
    failed = {"role": "tool", "tool_call_id": "c1", "content": "no", "is_error": True}
    assert converse(user("x"), assistant(tool_calls=[call("c1")]), failed).turns[2]["content"][0]["is_error"] is True


def test_only_system_messages_become_what_the_user_says() -> None:
    found = converse({"role": "system", "content": "Tell a joke."})
    assert found.system == []
    assert found.turns == [user([said("Tell a joke.")])]


def test_nothing_to_send_is_refused() -> None:
    with pytest.raises(InvalidInput, match="messages"):
        converse(user("  "))


def test_an_assistant_turn_at_the_end_is_continued_where_the_model_can() -> None:
    found = converse(user("x"), assistant("The answer is  ", reasoning_details=[THOUGHT]))
    assert found.turns[-1] == assistant([said("The answer is")])


def test_an_assistant_turn_at_the_end_is_followed_by_a_word_where_the_model_cannot() -> None:
    assert converse(user("x"), assistant("y"), model=NEWER).turns[-1] == user([said("Continue.")])


def test_a_system_message_inside_goes_to_the_system_prompt_of_older_models() -> None:
    found = converse(user("a"), {"role": "system", "content": "S"}, user("b"))
    assert found.system == [said("S")]
    assert found.turns == [user([said("a"), said("b")])]


def test_a_system_message_inside_stays_between_user_and_assistant_of_newer_models() -> None:
    found = converse(
        {"role": "system", "content": "first"},
        user("a"),
        {"role": "system", "content": "S"},
        user("b"),
        assistant("c"),
        {"role": "system", "content": "T"},
        user("d"),
        model=NEWER,
    )
    assert found.system == [said("first")]
    assert [(turn["role"], [block["text"] for block in turn["content"]]) for turn in found.turns] == [
        ("user", ["a", "b"]),
        ("system", ["S"]),
        ("assistant", ["c"]),
        ("user", ["d"]),
        ("system", ["T"]),
    ]


def test_a_system_message_between_two_assistant_turns_goes_to_the_system_prompt() -> None:
    found = converse(
        user("a"), assistant("b"), {"role": "system", "content": "S"}, assistant("c"), user("d"), model=NEWER
    )
    assert found.system == [said("S")]
    assert [turn["role"] for turn in found.turns] == ["user", "assistant", "user"]


def test_the_callers_messages_are_left_alone() -> None:
    messages = [
        user([{"type": "text", "text": "a"}], cache_control={"type": "ephemeral"}),
        assistant("I look. Found.", anthropic_content=NATIVE),
        user("b"),
        assistant("c "),
    ]
    before = repr(messages)
    conversation_of(messages, traits_of(MODEL), MODEL, keep_thinking=True)
    assert repr(messages) == before
