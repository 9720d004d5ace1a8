"""`mcp-gateway serve`, as a process of its own."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from mcp import Client

from shared.providers.scripted import ScriptedServer
from tests.mcp_gateway.commands.conftest import Shell
from tests.support.mcp_stack import facts_of

ROOT = Path(__file__).parents[3]


@contextmanager
def serving(environ: dict[str, str], *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and what it said when it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mcp_gateway", "serve", "--port", "0", *options],
        env={**environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        said = ""
        while "Try it:" not in said:
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            said += line
        while "}]}" not in said:
            said += process.stdout.readline()
        yield process, said
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def here(shell: Shell, environ: dict[str, str]) -> dict[str, str]:
    """The environment that `shell` has made, for a subprocess."""
    return environ


async def test_everything_is_where_it_says(provider: ScriptedServer, here: dict[str, str]) -> None:
    environ = {**here, "OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "x", "DEFAULT_LAYER": "L1"}
    with serving(environ) as (process, said):
        url = re.search(r"REST +(http://127\.0\.0\.1:\d+)", said)
        assert url
        base = url[1]
        for place in (
            f"{base}/v1",
            f"{base}/mcp",
            f"{base}/sse",
            f"{base}/docs",
            f"{base}/openapi.json",
            f"{base}/metrics",
        ):
            assert place in said
        assert "Answers come from gpt-6-luna (openai, layer L1)" in " ".join(said.split())
        async with httpx.AsyncClient() as plain:
            for place in ("/health", "/docs", "/openapi.json", "/metrics", "/v1/models"):
                assert (await plain.get(base + place)).status_code == 200, place
        command = said.partition("Try it:")[2].strip()
        answered = subprocess.run(
            ["bash", "-c", command.replace("curl ", "curl -s ")], capture_output=True, text=True, timeout=20
        )
        assert json.loads(answered.stdout)["choices"][0]["message"]["content"].startswith("word0")
        async with Client(f"{base}/mcp") as client:
            assert facts_of(await client.call_tool("run_command", {"command": "echo hi"}))["stdout"] == "hi\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0
        assert "Traceback" not in errors


def test_an_open_door_is_refused_with_code_2(shell: Shell) -> None:
    done = shell("serve", "--host", "0.0.0.0", "--port", "0")
    assert done.code == 2
    assert done.err.startswith("error: API_HOST=0.0.0.0 can be reached from other machines")
    assert "--insecure-no-auth" in done.err


def test_a_port_in_use_is_one_line(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = shell("serve", "--port", str(taken.getsockname()[1]))
    assert done.code == 1
    assert done.err.startswith("error: Port ")
    assert "API_PORT" in done.err


def test_with_authentication_it_says_how_to_get_in_and_the_password_once(here: dict[str, str]) -> None:
    with serving({**here, "AUTH_MODE": "required"}) as (process, said):
        assert "mcp-gateway keys create" in said
        assert "Authorization: Bearer" in said
        assert "no model yet" in said
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0
    assert re.search(r"Administrator 'admin', password '\S{12,}'", errors)
    with serving({**here, "AUTH_MODE": "required"}) as (process, _):
        process.send_signal(signal.SIGINT)
        assert "password" not in process.communicate(timeout=10)[1]
