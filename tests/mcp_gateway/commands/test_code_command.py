"""`mcp-gateway code`: what an agent is started with; the real agents are in tests/agents."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_gateway import surface
from tests.support.http_server import serving
from tests.support.ports import free_port

TELLS = f"""#!{sys.executable}
import json, os, sys
print(json.dumps({{"arguments": sys.argv[1:], "environ": dict(os.environ)}}))
"""
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the agents of these tests are scripts")


def code(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run it with agents on the PATH that tell what they were started with."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in ("claude", "opencode", "codex"):
        (programs / name).write_text(TELLS)
        (programs / name).chmod(0o755)
    env = {"PATH": str(programs), "HOME": str(folder), "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environ}
    command = [sys.executable, "-m", "mcp_gateway", "code", *arguments]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False, timeout=30)


async def started(folder: Path, agent: str, *arguments: str, **environ: str) -> tuple[dict[str, Any], str]:
    """What an agent was started with, and the gateway's address."""
    import asyncio

    async with surface(folder / "data") as made, serving(made.app) as server:
        done = await asyncio.to_thread(code, folder, "--url", server.url, agent, *arguments, **environ)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told, server.url


async def test_claude_code_gets_variables_and_the_server_in_one_word(tmp_path: Path) -> None:
    told, url = await started(tmp_path, "claude", "-p", "--model", "opus", "say hi")
    assert told["environ"]["ANTHROPIC_BASE_URL"] == url
    assert told["environ"]["ANTHROPIC_AUTH_TOKEN"] == "ai-mcp-gateway"
    option, *rest = told["arguments"]
    assert rest == ["-p", "--model", "opus", "say hi"]
    entry = json.loads(option.removeprefix("--mcp-config="))["mcpServers"]["ai-mcp-gateway"]
    assert entry["args"][-3:] == ["stdio", "--connect", url]
    assert not (tmp_path / ".claude").exists()


async def test_opencode_gets_its_configuration_beside_the_users(tmp_path: Path) -> None:
    told, url = await started(tmp_path, "opencode", "run", "hi", OPENCODE_CONFIG_CONTENT='{"theme": "dark"}')
    content = json.loads(told["environ"]["OPENCODE_CONFIG_CONTENT"])
    assert told["arguments"] == ["run", "hi"]
    assert content["theme"] == "dark"
    assert content["provider"]["ai-mcp-gateway"]["options"]["baseURL"] == f"{url}/v1"
    assert content["mcp"]["ai-mcp-gateway"]["command"][-3:] == ["stdio", "--connect", url]


async def test_a_key_goes_into_the_environment_and_not_on_the_command_line(tmp_path: Path) -> None:
    told, _ = await started(tmp_path, "claude", MCP_GATEWAY_TOKEN="mgw_secret")
    assert told["environ"]["ANTHROPIC_AUTH_TOKEN"] == "mgw_secret"
    assert "mgw_secret" not in str(told["arguments"])


def test_without_a_gateway_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = code(tmp_path, "--url", f"127.0.0.1:{free_port()}", "claude")
    assert done.returncode == 1
    assert "Start it: mcp-gateway serve" in done.stderr
    assert done.stdout == ""


def test_an_agent_that_is_not_here_is_named_with_its_package(tmp_path: Path) -> None:
    done = code(tmp_path, "claude", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "npm install --global @anthropic-ai/claude-code" in done.stderr
    assert "must be one of claude, opencode, codex" in code(tmp_path, "emacs").stderr
