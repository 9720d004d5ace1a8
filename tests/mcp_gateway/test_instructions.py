"""What a model is told of the server: of the tools that it gets."""

import re

import pytest

from mcp_gateway.instructions import instructions_for
from mcp_gateway.tools import TOOLS
from mcp_gateway.toolsets import Selection
from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, client_of


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    "toolsets", ["all", "chat,models,terminal", "chat", "models", "terminal", "ssh", "admin", "chat,ssh"]
)
@pytest.mark.parametrize("era", ERAS)
async def test_only_tools_that_are_offered_are_named(
    gateway: Gateway, era: str, toolsets: str, read_only: bool
) -> None:
    selection = Selection.of(toolsets, read_only=read_only)
    async with client_of(gateway, mode=era, selection=selection) as client:
        offered = {tool.name for tool in (await client.list_tools()).tools}
        instructions = client.instructions or ""
        texts = [instructions]
        for prompt in (await client.list_prompts()).prompts:
            given = {argument.name: "x" for argument in prompt.arguments or () if argument.required}
            (message,) = (await client.get_prompt(prompt.name, given)).messages
            texts.append(message.content.text if message.content.type == "text" else "")
    named = {name for text in texts for name in re.findall(r"\w+", text)} & TOOLS.keys() - {"chat", "usage"}
    assert named <= offered
    assert ("`chat`" in instructions) == ("chat" in offered)
    assert "an error what is wrong" in instructions


def test_who_may_only_look_is_told_what_at() -> None:
    text = instructions_for(["list_models", "usage", "list_terminals", "read_terminal"])
    assert "`list_models` shows" in text
    assert "`read_terminal` shows" in text
    assert "Two things" not in text
