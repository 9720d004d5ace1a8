from typing import Any

import pytest

from shared.dialects.ollama.request import chat_of, only_loads, prompt_of, tool_names
from shared.errors import InvalidInput, Unsupported

HELLO: Any = [{"role": "user", "content": "hi"}]


def chat(**fields: Any) -> dict[str, Any]:
    return chat_of({"model": "m", "messages": HELLO, **fields})


def called(name: str, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": {"x": 1}}, **more}


def test_a_chat_streams_unless_it_says_otherwise() -> None:
    assert chat() == {"model": "m", "stream": True, "messages": HELLO}
    assert chat(stream=False)["stream"] is False


def test_results_find_their_calls_by_name_and_in_order() -> None:
    turns = [
        *HELLO,
        {"role": "assistant", "tool_calls": [called("a"), called("b"), called("a")]},
        {"role": "tool", "tool_name": "b", "content": "of b"},
        {"role": "tool", "tool_name": "a", "content": "of the first a"},
        {"role": "tool", "content": "of the other a"},
    ]
    _, assistant, *results = chat(messages=turns)["messages"]
    first, second, third = (call["id"] for call in assistant["tool_calls"])
    assert [result["tool_call_id"] for result in results] == [second, first, third]
    assert assistant["tool_calls"][0]["function"] == {"name": "a", "arguments": '{"x":1}'}
    assert len({first, second, third}) == 3


def test_ids_of_calls_are_kept() -> None:
    turns = [
        *HELLO,
        {"role": "assistant", "content": "", "tool_calls": [called("a", id="one"), called("a", id="two")]},
        {"role": "tool", "tool_call_id": "two", "content": "2"},
        {"role": "tool", "tool_call_id": "one", "content": "1"},
    ]
    _, assistant, *results = chat(messages=turns)["messages"]
    assert [call["id"] for call in assistant["tool_calls"]] == ["one", "two"]
    assert [result["tool_call_id"] for result in results] == ["two", "one"]


def test_thinking_of_earlier_answers_goes_back() -> None:
    turns = [*HELLO, {"role": "assistant", "content": "a", "thinking": "t"}, *HELLO]
    assert chat(messages=turns)["messages"][1] == {"role": "assistant", "content": "a", "reasoning_content": "t"}


@pytest.mark.parametrize(
    ("think", "effort"), [(True, "medium"), (False, "none"), ("low", "low"), ("medium", "medium"), ("high", "high")]
)
def test_thinking_becomes_an_effort(think: bool | str, effort: str) -> None:
    assert chat(think=think)["reasoning_effort"] == effort


def test_formats() -> None:
    schema = {"type": "object"}
    assert chat(format="json")["response_format"] == {"type": "json_object"}
    assert chat(format=schema)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema},
    }
    assert "response_format" not in chat(format="")


@pytest.mark.parametrize(
    ("image", "media"),
    [("iVBORw0", "image/png"), ("/9j/4AA", "image/jpeg"), ("R0lGODl", "image/gif"), ("UklGRg", "image/webp")],
)
def test_images_are_told_apart_by_how_they_begin(image: str, media: str) -> None:
    (turn,) = prompt_of({"model": "m", "prompt": "", "images": [image]})["messages"]
    assert turn["content"] == [{"type": "image_url", "image_url": {"url": f"data:{media};base64,{image}"}}]


def test_no_limit_is_no_limit() -> None:
    assert "max_tokens" not in chat(options={"num_predict": -1})
    assert chat(options={"num_predict": 5})["max_tokens"] == 5


def test_long_names_of_tools_are_shortened_in_tools_and_calls() -> None:
    name = "n" * 80
    turns = [*HELLO, {"role": "assistant", "tool_calls": [called(name)]}, {"role": "tool", "tool_name": name}]
    body = {"model": "m", "messages": turns, "tools": [{"type": "function", "function": {"name": name}}]}
    payload = chat_of(body)
    short = payload["tools"][0]["function"]["name"]
    assert len(short) == 64
    assert payload["messages"][1]["tool_calls"][0]["function"]["name"] == short
    assert tool_names(body) == [name]


@pytest.mark.parametrize("field", ["suffix", "raw", "template", "context"])
def test_what_no_chat_can_say_is_refused_and_is_no_loading(field: str) -> None:
    body = {"model": "m", "prompt": "p", field: [1]}
    with pytest.raises(Unsupported, match=f"'{field}' cannot be used"):
        prompt_of(body)
    assert not only_loads({"model": "m", field: [1]})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"model": ""}, "model"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, r"messages\.0"),
        ({"messages": [{"role": "robot", "content": ""}]}, r"messages\.0\.role"),
        ({"messages": [{"role": "user", "content": [1]}]}, r"messages\.0\.content"),
        ({"messages": [{"role": "user", "images": "x"}]}, r"messages\.0\.images"),
        ({"messages": [{"role": "system", "images": ["x"]}]}, r"messages\.0\.images"),
        ({"messages": [{"role": "assistant", "tool_calls": 1}]}, r"messages\.0\.tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, r"messages\.0\.tool_calls\.0"),
        ({"messages": [{"role": "tool", "content": "x"}]}, r"messages\.0"),
        ({"tools": 1}, "tools"),
        ({"tools": [{"type": "function"}]}, r"tools\.0\.function"),
        ({"stream": "yes"}, "stream"),
        ({"think": "a lot"}, "think"),
        ({"think": 1}, "think"),
        ({"format": "xml"}, "format"),
        ({"options": []}, "options"),
    ],
)
def test_what_is_malformed_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        chat(**fields)
    if "options" in fields:
        assert chat(options=None)["model"] == "m"


def test_a_prompt_must_be_text() -> None:
    with pytest.raises(InvalidInput, match="prompt"):
        prompt_of({"model": "m", "prompt": [1]})
