"""What `mcp-gateway install` writes and `mcp-gateway code` gives, as the real agents read it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from shared.providers.scripted_answers import Turn
from tests.agents.stand import Done, Stand, steps

SAID = "All is done."
CLAUDE = {"IS_SANDBOX": "1", "DISABLE_AUTOUPDATER": "1", "ENABLE_TOOL_SEARCH": "0"}
OPENCODE = {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"}
WRITTEN = (".claude.json", "settings.json", "opencode.json", "providers.json", "cline_mcp_settings.json")
"""The files that `install` writes."""


@dataclass(frozen=True)
class Installed:
    """An agent that finds the gateway by itself: how it is asked, and what it calls our tool."""

    program: str
    arguments: tuple[str, ...]
    tool: str
    env: Mapping[str, str]


AGENTS = {
    "claude-code": Installed(
        "claude",
        ("-p", "Run it.", "--dangerously-skip-permissions"),
        "mcp__ai-mcp-gateway__run_command",
        CLAUDE,
    ),
    "opencode": Installed("opencode", ("run", "Run it.", "--auto"), "ai-mcp-gateway_run_command", OPENCODE),
    "cline": Installed("cline", ("Run it.",), "ai-mcp-gateway__run_command", {}),
}


async def calls_our_tool(stand: Stand, tool: str) -> None:
    """Let the model call the tool once."""
    stand.provider.says["scripted"] = steps(Turn("", ((tool, {"command": "echo he''re"}),)), SAID)
    await stand.add_alone("scripted")


def assert_ran(done: Done, stand: Stand) -> None:
    assert SAID in done.out, done
    results = [message for message in stand.chats[-1].body["messages"] if message["role"] == "tool"]
    assert len(results) == 1
    assert "here" in str(results[0]["content"])


@pytest.mark.parametrize("name", AGENTS)
async def test_install_gives_models_and_tools_and_undo_takes_both(stand: Stand, name: str) -> None:
    agent = AGENTS[name]
    await calls_our_tool(stand, agent.tool)
    options = ("--connect", "--url", stand.gateway.url)
    installed = await stand.gateway_command("install", name, *options)
    assert installed.code == 0, installed
    assert_ran(await stand.run(agent.program, *agent.arguments, env=agent.env), stand)
    undone = await stand.gateway_command("install", name, "--undo")
    assert undone.code == 0, undone
    named = [path for path in stand.home.rglob("*.json") if "backup" not in path.name and path.stat().st_size < 100_000]
    assert [path for path in named if stand.gateway.url in path.read_text("utf-8") and path.name in WRITTEN] == []


@pytest.mark.parametrize("name", ["claude-code", "opencode"])
async def test_code_gives_models_and_tools_without_a_file(stand: Stand, name: str) -> None:
    agent = AGENTS[name]
    await calls_our_tool(stand, agent.tool)
    command = ("code", "--url", stand.gateway.url, agent.program, *agent.arguments)
    assert_ran(await stand.gateway_command(*command, env=agent.env), stand)
    assert not (stand.home / ".claude" / "settings.json").exists()
    assert not (stand.home / ".config" / "opencode" / "opencode.json").exists()
