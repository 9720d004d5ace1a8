"""Requests for the Messages API, as chats in OpenAI's form."""

from typing import Any

import pytest

from shared.dialects.messages.request import to_chat
from shared.domain.chat import ChatRequest
from shared.errors import InvalidInput, Unsupported

BASH = {"name": "Bash", "description": "Runs a command", "input_schema": {"type": "object", "properties": {}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    payload = to_chat({"model": "auto", "max_tokens": 100, "messages": list(messages), **fields})
    ChatRequest.parse(payload)  # what comes out is always a chat
    return payload


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


HI = {"role": "user", "content": "hi"}


def test_a_request_of_claude_code_without_its_billing_line() -> None:
    mark = {"type": "ephemeral"}
    found = chat(
        user(said("Run echo")),
        {"role": "system", "content": [{**said("# Environment"), "cache_control": mark}]},
        system=[
            said("x-anthropic-billing-header: cc_version=2.1.328.342; cc_entrypoint=cli;"),
            {**said("You are an agent."), "cache_control": mark},
        ],
        metadata={"user_id": '{"device_id":"0"}'},
        thinking={"type": "adaptive", "display": "omitted"},
        output_config={"effort": "high"},
        context_management={"edits": []},
        stream=True,
    )
    assert found == {
        "model": "auto",
        "max_tokens": 100,
        "stream": True,
        "reasoning_effort": "high",
        "messages": [
            {"role": "system", "content": [{**said("You are an agent."), "cache_control": mark}]},
            {"role": "user", "content": "Run echo"},
            {"role": "system", "content": [{**said("# Environment"), "cache_control": mark}]},
        ],
    }


def test_results_of_tools_come_first_one_message_each_and_their_images_after_them() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    found = chat(
        user(said("look")),
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Two calls.", "signature": "sig"},
                said("I look."),
                {"type": "tool_use", "id": "a", "name": "Bash", "input": {"command": "ls"}},
                {"type": "tool_use", "id": "b", "name": "Read", "input": {}},
            ],
        },
        user(
            {"type": "tool_result", "tool_use_id": "b", "content": [said("a picture"), image]},
            {"type": "tool_result", "tool_use_id": "a", "content": "no such file", "is_error": True},
            said("go on"),
        ),
        tools=[BASH],
    )["messages"]
    assert found[1] == {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "Bash", "arguments": '{"command":"ls"}'}},
            {"id": "b", "type": "function", "function": {"name": "Read", "arguments": "{}"}},
        ],
        "reasoning_content": "Two calls.",
        "reasoning_details": [
            {
                "type": "reasoning.text",
                "text": "Two calls.",
                "signature": "sig",
                "format": "anthropic-claude-v1",
                "index": 0,
            }
        ],
    }
    assert [message["role"] for message in found] == ["user", "assistant", "tool", "tool", "user"]
    assert found[2]["tool_call_id"] == "b"
    assert "next message" in found[2]["content"]
    assert found[3]["content"] == "[The tool reported an error.]\nno such file"
    assert found[4]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        said("go on"),
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "Bash"}, {"tool_choice": {"type": "function", "function": {"name": "Bash"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"tool_choice": "auto", "parallel_tool_calls": False}),
    ],
)
def test_the_choice_among_tools(choice: dict[str, Any], expected: dict[str, Any]) -> None:
    found = chat(HI, tools=[BASH], tool_choice=choice)
    assert {name: found[name] for name in ("tool_choice", "parallel_tool_calls") if name in found} == expected


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, "none"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 6000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "high"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "xhigh"),
        ({"thinking": {"type": "adaptive"}}, None),
        ({}, None),
    ],
)
def test_thinking_becomes_an_effort(fields: dict[str, Any], effort: str | None) -> None:
    assert chat(HI, **fields).get("reasoning_effort") == effort


def test_a_form_for_the_answer() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    found = chat(HI, output_config={"effort": "high", "format": {"type": "json_schema", "schema": schema}})
    assert found["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


def test_tools_that_run_at_anthropic_are_left_out_beside_others() -> None:
    found = chat(HI, tools=[BASH, SEARCH, {"name": "DeferredToolPlaceholder", "defer_loading": True}])
    assert [tool["function"]["name"] for tool in found["tools"]] == ["Bash"]


def test_alone_they_stay_so_that_anthropic_can_be_asked() -> None:
    found = chat(HI, tools=[SEARCH], tool_choice={"type": "tool", "name": "web_search"})
    assert found["tools"] == [SEARCH]
    assert found["tool_choice"] == {"type": "tool", "name": "web_search"}


def test_a_choice_of_one_that_was_left_out_is_refused() -> None:
    with pytest.raises(Unsupported, match="web_search"):
        chat(HI, tools=[BASH, SEARCH], tool_choice={"type": "tool", "name": "web_search"})


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        ),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"},
            },
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}},
        ),
        (
            {"type": "document", "title": "Notes", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
            {"type": "text", "text": "Notes\n\nx"},
        ),
        (
            {"type": "search_result", "title": "T", "source": "https://a.example", "content": [said("found")]},
            {"type": "text", "text": "T (https://a.example)\nfound"},
        ),
        (
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": [{"type": "web_search_result", "title": "T", "url": "https://a.example"}],
            },
            {"type": "text", "text": "[web search results]\nT https://a.example"},
        ),
    ],
)
def test_each_kind_of_block(block: dict[str, Any], part: dict[str, Any]) -> None:
    assert chat(user(said("see"), block))["messages"][0]["content"][1] == part


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": [HI]}, "max_tokens"),
        ({"max_tokens": "many", "messages": [HI]}, "max_tokens"),
        ({"max_tokens": True, "messages": [HI]}, "max_tokens"),
        ({"max_tokens": 1}, "messages"),
        ({"max_tokens": 1, "messages": []}, "messages"),
        ({"max_tokens": 1, "messages": ["hi"]}, "messages.0"),
        ({"max_tokens": 1, "messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"max_tokens": 1, "messages": [{"role": "user", "content": 3}]}, "messages.0.content"),
        ({"max_tokens": 1, "messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0"),
        ({"max_tokens": 1, "messages": [HI], "system": 3}, "system"),
        ({"max_tokens": 1, "messages": [HI], "tools": {}}, "tools"),
        ({"max_tokens": 1, "messages": [HI], "tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"max_tokens": 1, "messages": [HI], "tools": [BASH], "tool_choice": "auto"}, "tool_choice"),
        (
            {"max_tokens": 1, "messages": [HI], "tools": [BASH], "tool_choice": {"type": "some"}},
            "tool_choice.type",
        ),
        (
            {"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "image", "source": "x"}]}]},
            "messages.0.content.0.source",
        ),
        (
            {"max_tokens": 1, "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]}]},
            "messages.0.content.0",
        ),
    ],
)
def test_what_is_malformed_is_refused_by_its_name(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        to_chat(body)
    assert isinstance(caught.value.details, dict)
    assert caught.value.details["fields"][0]["field"] == field
