"""Requests for the Responses API as chats: Codex's own among them, their long texts cut."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.dialects.responses.request import own_items, to_chat, toolbox_of
from shared.dialects.responses.sealing import MARK, Sealing
from shared.dialects.responses.tools import free_text, sent_name
from shared.domain.chat import ChatRequest
from shared.errors import InvalidInput, Unavailable, Unsupported

FIXTURES = Path(__file__).parents[3] / "fixtures" / "codex"
HELLO: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
CALL: Any = {"type": "function_call", "call_id": "a", "name": "run", "arguments": '{"x":1}'}
RESULT: Any = {"type": "function_call_output", "call_id": "a", "output": "done"}
IMAGE: Any = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}


def refuse(text: str) -> str:
    raise Unavailable("no key")


SEALING = Sealing(lambda text: text[::-1], lambda text: text[::-1])


def chat(body: dict[str, Any], sealing: Sealing = SEALING) -> dict[str, Any]:
    items = own_items(body)
    return to_chat(body, toolbox_of(body, items), items, sealing)


def messages(*items: Any, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chat({"input": list(items), **more})["messages"]
    return found


def roles(*items: Any) -> list[str]:
    return [message["role"] for message in messages(*items)]


@pytest.mark.parametrize("name", ["additional-tools", "custom-apply-patch", "unknown-model"])
def test_what_codex_sends_is_a_chat(name: str) -> None:
    body = orjson.loads((FIXTURES / f"{name}.json").read_bytes())
    made = chat(body)
    request = ChatRequest.parse(made)
    assert request.facts.needs_tools
    assert request.facts.conversation == f"session:{body['prompt_cache_key']}"
    assert made["messages"][0]["role"] == "system"
    assert [message["role"] for message in made["messages"]].count("system") == 1, (
        "templates take one, at the beginning"
    )
    names = [tool["function"]["name"] for tool in made["tools"]]
    assert len(set(names)) == len(names)
    assert "web_search" not in names


def test_codexs_three_ways_of_declaring_tools() -> None:
    names = {}
    for name in ("additional-tools", "custom-apply-patch", "unknown-model"):
        body = orjson.loads((FIXTURES / f"{name}.json").read_bytes())
        toolbox = toolbox_of(body, own_items(body))
        names[name] = {sent: tool.kind for sent, tool in toolbox.declared.items()}
    assert names["additional-tools"]["functions__exec"] == "custom"
    assert names["additional-tools"]["clock__sleep"] == "function"
    assert names["custom-apply-patch"]["apply_patch"] == "custom"
    assert names["custom-apply-patch"]["tool_search"] == "tool_search"
    assert any(name.startswith("multi_agent_v1__") for name in names["unknown-model"])


def test_text_is_a_message_of_the_user() -> None:
    assert chat({"input": "hi", "instructions": "Be brief."})["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


def test_items_without_a_type_are_messages() -> None:
    assert roles({"role": "developer", "content": "a"}, {"role": "user", "content": "b"}) == ["system", "user"]


def test_an_answer_of_several_items_is_one_message() -> None:
    custom = {"type": "custom_tool_call", "call_id": "b", "name": "apply_patch", "input": "*** Begin"}
    kept = SEALING.sealed({"text": "hm", "details": [{"type": "reasoning.text", "text": "hm", "signature": "s"}]})
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": kept}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me."}]}
    outputs = [RESULT, {"type": "custom_tool_call_output", "call_id": "b", "output": "ok"}]
    user, answer, *results = messages(HELLO, reasoning, said, CALL, custom, *outputs)
    assert user["role"] == "user"
    assert answer["content"] == "Let me."
    assert answer["reasoning_content"] == "hm"
    assert answer["reasoning_details"][0]["signature"] == "s"
    assert [call["function"] for call in answer["tool_calls"]] == [
        {"name": "run", "arguments": '{"x":1}'},
        {"name": "apply_patch", "arguments": '{"input":"*** Begin"}'},
    ]
    assert [(result["tool_call_id"], result["content"]) for result in results] == [("a", "done"), ("b", "ok")]


def test_nothing_comes_between_a_call_and_its_result() -> None:
    other = {**CALL, "call_id": "b"}
    note = {"role": "developer", "content": "Mind the gap."}
    found = messages(HELLO, CALL, other, note, {**RESULT, "output": [IMAGE]}, {**RESULT, "call_id": "b"})
    assert [message["role"] for message in found] == ["user", "assistant", "tool", "tool", "system", "user"]
    assert found[-1]["content"][0]["type"] == "image_url"


def test_a_call_of_a_namespace_has_the_name_that_was_sent() -> None:
    _, answer, _ = messages(HELLO, {**CALL, "namespace": "clock", "name": "sleep"}, RESULT)
    assert answer["tool_calls"][0]["function"]["name"] == "clock__sleep"


def test_tools_that_a_search_found_can_be_called() -> None:
    found = [{"type": "namespace", "name": "mcp", "tools": [{"type": "function", "name": "look"}]}]
    call = {"type": "tool_search_call", "call_id": "s", "execution": "client", "arguments": {"query": "x"}}
    made = chat({"input": [HELLO, call, {"type": "tool_search_output", "call_id": "s", "tools": found}]})
    assert [tool["function"]["name"] for tool in made["tools"]] == ["mcp__look"]
    assert made["messages"][1]["tool_calls"][0]["function"] == {"name": "tool_search", "arguments": '{"query":"x"}'}
    assert made["messages"][2]["content"] == '{"tools":["mcp__look"]}'


@pytest.mark.parametrize(
    "item",
    [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "x"}], "encrypted_content": "gAAAA"},
        {"type": "reasoning", "summary": [], "encrypted_content": f"{MARK}nonsense"},
        {"type": "web_search_call", "id": "ws", "status": "completed"},
        {"type": "compaction", "encrypted_content": "gAAAA"},
        {"type": "something_new"},
    ],
)
def test_what_another_vendor_made_for_itself_is_left_out(item: dict[str, Any]) -> None:
    assert roles(HELLO, item) == ["user"]


def test_what_no_key_opens_any_more_is_left_out() -> None:
    item = {"type": "reasoning", "encrypted_content": SEALING.sealed({"text": "x"})}
    assert len(chat({"input": [HELLO, item]}, Sealing(refuse, refuse))["messages"]) == 1


def test_parts_of_content() -> None:
    parts = [
        {"type": "input_text", "text": "look"},
        {**IMAGE, "detail": "low"},
        {"type": "input_file", "file_data": "data:x"},
    ]
    (found,) = messages({**HELLO, "content": parts})
    assert found["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": IMAGE["image_url"], "detail": "low"}},
        {"type": "file", "file": {"file_data": "data:x"}},
    ]


def test_the_fields_that_a_chat_has_too() -> None:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    made = chat(
        {
            "input": "hi",
            "max_output_tokens": 9,
            "reasoning": {"effort": "low", "summary": "auto"},
            "text": {"format": form, "verbosity": "low"},
            "tools": [{"type": "function", "name": "f", "parameters": None}, {"type": "web_search"}],
            "tool_choice": {"type": "function", "name": "f"},
            "parallel_tool_calls": False,
            "prompt_cache_key": "k",
            "metadata": {"a": "b"},
            "gateway": {"quality": "high"},
        }
    )
    assert made["max_tokens"] == 9
    assert made["reasoning_effort"] == "low"
    assert made["response_format"]["json_schema"] == {"name": "n", "schema": {"type": "object"}, "strict": True}
    assert made["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert made["parallel_tool_calls"] is False
    assert made["gateway"] == {"session": "k", "quality": "high"}
    assert "metadata" not in made
    assert "verbosity" not in made


def test_only_allowed_tools_are_offered() -> None:
    tools = [{"type": "function", "name": name} for name in "ab"]
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]}
    made = chat({"input": "hi", "tools": tools, "tool_choice": allowed})
    assert [tool["function"]["name"] for tool in made["tools"]] == ["b"]
    assert made["tool_choice"] == "required"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "input"),
        ({"input": 3}, "input"),
        ({"input": [3]}, "input.0"),
        ({"input": [{}]}, "input.0.type"),
        ({"input": [{"role": "king", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": 3}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": [3]}]}, "input.0.content.0"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input.0.content.0.text"),
        ({"input": [{**RESULT, "call_id": 3}]}, "input.0.call_id"),
        ({"input": "hi", "tools": [3]}, "tools"),
        ({"input": "hi", "tools": [{"type": "function"}]}, "tools.0.name"),
        ({"input": "hi", "max_output_tokens": 0}, "max_output_tokens"),
        ({"input": "hi", "reasoning": "much"}, "reasoning"),
        ({"input": "hi", "text": {"format": "json"}}, "text.format"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        chat(body)
    assert isinstance(caught.value.details, dict)
    assert caught.value.details["fields"][0]["field"] == field


@pytest.mark.parametrize("name", ["background", "conversation", "prompt"])
def test_what_is_not_kept_here_is_refused(name: str) -> None:
    with pytest.raises(Unsupported, match=name):
        chat({"input": "hi", name: True})


@pytest.mark.parametrize("name", ["a" * 70, "a.b", "x/y", "é"])
def test_every_name_becomes_one_that_all_vendors_take(name: str) -> None:
    found = {sent_name(name), sent_name(name, "ns"), sent_name(name.replace(".", "/"))}
    assert all(len(each) <= 64 and each.isascii() and each.replace("-", "_").isidentifier() for each in found)
    assert len(found) == 3 if "." in name else len(found) >= 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"a"}', "a"),
        ('{"content":"a"}', "a"),
        ('"a"', "a"),
        ("plain", "plain"),
        ('{"a":"x","b":"y"}', '{"a":"x","b":"y"}'),
        ('{"input":"```js\\na\\n```"}', "a"),
    ],
)
def test_free_text_is_found_where_models_put_it(arguments: str, text: str) -> None:
    assert free_text(arguments) == text
