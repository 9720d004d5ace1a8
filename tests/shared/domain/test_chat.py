"""Reading a chat request: what is picked out, what is kept, what is refused before any provider sees it."""

from typing import Any

import pytest

from shared.domain.chat import ChatRequest
from shared.domain.usage import Usage
from shared.errors import InvalidInput

USER = {"role": "user", "content": "hi"}


def parse(**body: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [USER], **body})


def test_the_model_is_optional_and_defaults_to_auto() -> None:
    assert parse().facts.model == "auto"
    assert parse(model=None).facts.model == "auto"


def test_everything_but_our_options_stays_in_the_payload() -> None:
    found = parse(own={"x": 1}, gateway={"maxLayer": "L2", "budgetUsd": 0.5, "tags": {"a": "b"}})
    assert found.payload == {"messages": [USER], "own": {"x": 1}}
    assert found.options.max_layer == "L2"
    assert str(found.options.budget_usd) == "0.5"


def test_the_callers_own_object_is_not_changed() -> None:
    body = {"messages": [USER], "gateway": {"maxLayer": "L1"}}
    ChatRequest.parse(body)
    assert "gateway" in body


def test_needs_are_picked_out() -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}
    assert parse(messages=[image]).facts.needs_vision
    assert parse(tools=[{"type": "function"}]).facts.needs_tools
    assert parse(messages=[{"role": "user", "content": "why? ```x```"}]).facts.needs_code
    parts = [{"type": "text", "text": "why?"}, {"type": "text", "text": "```x```"}]
    assert parse(messages=[{"role": "user", "content": parts}]).facts.needs_code
    assert not parse(messages=[{"role": "user", "content": parts[:1]}]).facts.needs_code
    plain = parse()
    assert not (plain.facts.needs_vision)
    assert not (plain.facts.needs_tools)
    assert not (plain.facts.needs_code)


def test_the_prompts_length_is_estimated_from_all_text_parts() -> None:
    parts = [{"type": "text", "text": "x" * 400}, {"type": "text", "text": "y" * 400}]
    assert parse(messages=[{"role": "user", "content": parts}]).prompt_tokens == 201


def test_a_limit_of_tokens_is_found_under_both_names() -> None:
    assert parse(max_tokens=5).facts.max_tokens == 5
    assert parse(max_completion_tokens=7, max_tokens=5).facts.max_tokens == 7
    assert parse().facts.max_tokens is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("messages", None),
        ("messages", []),
        ("messages", "hi"),
        ("messages", ["hi"]),
        ("messages", [{"content": "x"}]),
        ("messages", [{"role": "robot", "content": "x"}]),
        ("messages", [{"role": "user"}]),
        ("messages", [{"role": "user", "content": 3}]),
        ("messages", [{"role": "user", "content": ["x"]}]),
        ("messages", [{"role": "user", "content": [{"text": "x"}]}]),
        ("model", 3),
        ("model", "x" * 300),
        ("model", "a\nb"),
        ("stream", "yes"),
        ("stream", 1),
        ("stream_options", []),
        ("temperature", "hot"),
        ("temperature", 3),
        ("temperature", True),
        ("top_p", -1),
        ("n", 0),
        ("n", 1.5),
        ("max_tokens", 0),
        ("max_completion_tokens", "5"),
        ("stop", [1]),
        ("seed", "x"),
        ("tools", {}),
        ("tools", ["x"]),
        ("tool_choice", 3),
        ("response_format", "json"),
        ("logit_bias", []),
        ("logprobs", "x"),
        ("user", 3),
        ("gateway", []),
        ("gateway", {"maxlayer": "L1"}),
        ("gateway", {"maxLayer": "L4"}),
        ("gateway", {"maxLayer": "L1", "minLayer": "L2"}),
        ("gateway", {"budgetUsd": -1}),
        ("gateway", {"timeoutMs": 0}),
        ("gateway", {"tags": {"a": 1}}),
    ],
)
def test_wrong_types_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(**{field: value})
    details = caught.value.details
    assert isinstance(details, dict)
    assert details["fields"][0]["field"].split(".")[0] == field
    assert details["fields"][0]["reason"]


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(InvalidInput):
        ChatRequest.parse(body)


def test_explicit_nulls_are_what_openai_clients_send_for_not_set() -> None:
    found = parse(temperature=None, tools=None, stream=None)
    assert not found.stream
    assert found.payload["temperature"] is None


def test_usage_survives_its_openai_form() -> None:
    usage = Usage(prompt=10, completion=5, cached=3, cache_write=2, reasoning=4, estimated=True)
    assert Usage.from_openai(usage.to_openai()) == usage
    assert Usage.from_openai({"prompt_tokens": "many", "completion_tokens": -1}) == Usage()


def test_a_conversation_is_known_by_its_name_else_by_how_it_began() -> None:
    named = parse(user="ann", gateway={"session": "s1"}).facts.conversation
    assert named == "session:s1"
    by_user = parse(user="a" * 10_000).facts.conversation
    assert by_user.startswith("user:")
    assert len(by_user) < 50
    opening = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]
    later = [*opening, {"role": "assistant", "content": "hi"}, {"role": "user", "content": [{"type": "text"}]}]
    assert parse(messages=opening).facts.conversation == parse(messages=later).facts.conversation
    assert (parse(messages=opening).facts.turn, parse(messages=later).facts.turn) == (0, 1)
    other = [opening[0], {"role": "user", "content": "something else"}]
    assert parse(messages=other).facts.conversation != parse(messages=opening).facts.conversation


def test_a_prompt_is_as_long_as_its_texts_tools_and_calls() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "d" * 1000}}]
    assert parse(tools=tools).facts.prompt_tokens > parse().facts.prompt_tokens + 200
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "x" * 1000}}]}
    assert parse(messages=[call]).facts.prompt_tokens > 250
    assert parse(max_tokens=9, max_completion_tokens=1).facts.max_tokens == 9


def test_a_request_that_is_whole_or_limited_keeps_everything_else() -> None:
    asked = parse(stream=True, stream_options={"include_usage": True}, seed=7)
    assert asked.whole().payload == {**parse(seed=7).payload}
    assert not asked.whole().stream
    limited = asked.limited(9)
    assert (limited.payload["max_tokens"], limited.facts.max_tokens, limited.stream) == (9, 9, True)
    assert "max_tokens" not in asked.payload
