"""What hosts see before they call anything, and how calls fail."""

import asyncio
from importlib import metadata
from typing import Any, NoReturn

import pytest
from mcp import Client, MCPError

from mcp_gateway.arguments import MAX_COMMAND_SECONDS
from mcp_gateway.instructions import instructions_for
from mcp_gateway.prompts import PROMPTS
from mcp_gateway.server import create_server
from mcp_gateway.tools import TOOLS
from shared.errors import Unavailable
from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, client_of, text_of

NAMES = [
    "chat",
    "explain_route",
    "list_models",
    "set_model",
    "usage",
    "run_command",
    "open_terminal",
    "send_to_terminal",
    "read_terminal",
    "read_output",
    "close_terminal",
    "list_terminals",
]


async def never() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("era", ERAS)
async def test_the_handshake_and_the_lists_do_not_wait_for_the_gateway(era: str) -> None:
    async with asyncio.timeout(5), Client(create_server(never), mode=era) as client:
        info = client.server_info
        assert (info.name, info.title, info.version) == (
            "ai-mcp-gateway",
            "AI MCP Gateway",
            metadata.version("ai-mcp-gateway"),
        )
        assert client.instructions == instructions_for(NAMES)
        assert [tool.name for tool in (await client.list_tools()).tools] == NAMES
        resources = (await client.list_resources()).resources
        assert [resource.uri for resource in resources] == [
            "models://registry",
            "models://layers",
            "gateway://health",
            "gateway://routing",
            "gateway://budget",
            "usage://today",
            "terminal://sessions",
        ]
        assert all(resource.description and resource.mime_type == "application/json" for resource in resources)
        templates = (await client.list_resource_templates()).resource_templates
        assert [template.uri_template for template in templates] == [
            "models://{id}",
            "terminal://{id}/output",
            "terminal://{id}/screen",
        ]
        assert all(template.description and template.mime_type for template in templates)
        prompts = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in prompts] == [*PROMPTS]


def test_the_instructions_fit_what_hosts_keep_of_them() -> None:
    assert 300 < len(instructions_for(NAMES).encode()) <= 1_024


def test_the_annotations_are_honest() -> None:
    hints = {
        name: (
            tool.annotations.read_only_hint,
            tool.annotations.destructive_hint,
            tool.annotations.idempotent_hint,
            tool.annotations.open_world_hint,
        )
        for name, tool in TOOLS.items()
    }
    assert hints == {
        "chat": (False, False, False, True),
        "explain_route": (True, False, True, False),
        "list_models": (True, False, True, False),
        "set_model": (False, False, True, False),
        "usage": (True, False, True, False),
        "set_layer": (False, False, True, False),
        "run_command": (False, True, False, True),
        "open_terminal": (False, False, False, True),
        "send_to_terminal": (False, True, False, True),
        "read_terminal": (True, False, True, False),
        "read_output": (True, False, True, False),
        "close_terminal": (False, True, True, False),
        "list_terminals": (True, False, True, False),
        "list_remote_files": (True, False, True, True),
        "read_remote_file": (True, False, True, True),
        "write_remote_file": (False, True, False, True),
    }
    assert all(tool.title for tool in TOOLS.values())


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("chat", {}, "'message' is not valid: this field is required"),
        ("chat", {"message": "hi", "messages": [{"role": "user", "content": "x"}]}, "cannot be given together"),
        ("chat", {"message": "hi", "hidden": "s3cret"}, "'hidden' is not valid: this field is not known"),
        ("chat", {"message": "hi", "temperature": "s3cret"}, "'temperature' is not valid"),
        ("chat", {"message": "hi", "temperature": 3}, "less than or equal to 2"),
        ("chat", {"message": "hi", "maxTokens": 0}, "'maxTokens' is not valid"),
        ("chat", {"message": "hi", "maxLayer": "L9"}, "'maxLayer' is not valid"),
        ("chat", {"messages": [{"role": "s3cret", "content": "x"}]}, "'messages.0.role' is not valid"),
        ("chat", {"messages": "s3cret"}, "'messages' is not valid"),
        ("chat", {"message": ""}, "'message' is not valid"),
        ("chat", {"message": "hi", "agreement": 3}, "'agreement' is not valid"),
        ("chat", {"message": "hi", "budgetUsd": -1}, "'budgetUsd' is not valid"),
        ("chat", {"message": "hi", "session": ""}, "'session' is not valid"),
        (
            "chat",
            {"message": "hi", "chatId": "s3cret"},
            "'message' is not valid: cannot be given together with 'chatId'",
        ),
        (
            "chat",
            {"message": "hi", "waitSeconds": 51},
            "the answer then has a 'chatId', with which chat can be called again",
        ),
        (
            "set_model",
            {"model": "s3cret"},
            "'enabled' is not valid: this field is required (or 'layer', or 'priority')",
        ),
        ("set_model", {"model": "s3cret", "priority": -1}, "'priority' is not valid"),
        ("usage", {"days": 0}, "'days' is not valid"),
        ("usage", {"groupBy": "s3cret"}, "'groupBy' is not valid"),
        ("explain_route", {}, "'message' is not valid: this field is required"),
        ("explain_route", {"message": "hi", "crossCheck": True}, "'crossCheck' is not valid: this field is not known"),
        ("list_models", {"limit": 101}, "'limit' is not valid"),
        ("list_models", {"cursor": "s3cret"}, "'cursor' is not valid"),
        ("run_command", {}, "'command' is not valid: this field is required"),
        ("run_command", {"command": "s3cret\0"}, "must not contain a NUL"),
        (
            "run_command",
            {"command": "true", "timeoutSeconds": 51},
            f"'timeoutSeconds' is not valid: must be less than or equal to {MAX_COMMAND_SECONDS}; for a command that takes longer set "
            "'background' to true and leave 'timeoutSeconds' out, then wait for its end with read_terminal",
        ),
        ("run_command", {"command": "true", "sessionId": "a", "connection": "b"}, "cannot be given together"),
    ],
)
async def test_wrong_arguments_are_named_and_never_repeated(
    gateway: Gateway, era: str, tool: str, arguments: dict[str, Any], named: str
) -> None:
    async with client_of(gateway, mode=era) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is None
    text = text_of(result)
    assert named in text
    assert "s3cret" not in text
    assert "pydantic" not in text
    assert "(code: invalid_request)" in text


async def test_a_wrong_argument_is_answered_with_the_right_ones() -> None:
    async with Client(create_server(never)) as client:
        result = await client.call_tool("run_command", {"cmd": "ls"})
    assert (
        "run_command takes: command, sessionId, connection, cwd, stdin, env, timeoutSeconds, background, sandbox, sudo, approvalId."
        in text_of(result)
    )


async def test_an_unknown_tool_is_answered_with_the_known_ones() -> None:
    async with Client(create_server(never)) as client:
        result = await client.call_tool("rm_rf", {})
    assert result.is_error
    assert f"there are {', '.join(NAMES)}" in text_of(result)


@pytest.mark.parametrize("era", ERAS)
async def test_a_gateway_that_did_not_open_says_why_on_every_call(era: str) -> None:
    async def ready() -> NoReturn:
        raise Unavailable("The database is away; check DATABASE_URL.")

    async with Client(create_server(ready), mode=era) as client:
        for tool, arguments in (("chat", {"message": "hi"}), ("list_models", {}), ("run_command", {"command": "ls"})):
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert text_of(result).startswith("The database is away; check DATABASE_URL.")
        with pytest.raises(MCPError, match="database is away"):
            await client.read_resource("gateway://health")


@pytest.mark.parametrize("era", ERAS)
async def test_a_bug_is_told_without_its_text_and_logged_with_it(era: str, caplog: pytest.LogCaptureFixture) -> None:
    async def ready() -> NoReturn:
        raise RuntimeError("s3cret")

    async with Client(create_server(ready), mode=era) as client:
        result = await client.call_tool("list_models", {})
        assert result.is_error
        assert "(code: internal_error)" in text_of(result)
        assert "s3cret" not in text_of(result)
        with pytest.raises(MCPError) as told:
            await client.read_resource("gateway://health")
        assert "s3cret" not in str(told.value.error)
    assert caplog.text.count("RuntimeError: s3cret") == 2


async def test_numbers_and_lists_as_text_are_taken_as_meant(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        result = await client.call_tool("list_models", {"limit": "2", "layer": None})
        assert result.structured_content
        assert len(result.structured_content["models"]) == 2
