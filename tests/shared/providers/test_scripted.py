"""The scripted provider, started by itself; what it answers is tested by what asks it."""

import socket
import subprocess
import sys

import httpx
import pytest

from shared.providers.scripted import ScriptedServer
from shared.providers.scripted_answers import Turn
from tests.support.scripted_process import scripted_process


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shared.providers.scripted", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_it_says_where_it_listens() -> None:
    with scripted_process() as url:
        assert httpx.get(f"{url}/models", trust_env=False).json()["object"] == "list"


@pytest.mark.parametrize("arguments", [("abc",), ("65536",), ("-1",), ("0", "0")])
def test_what_is_no_port_is_told_in_one_line(arguments: tuple[str, ...]) -> None:
    done = started(*arguments)
    assert done.returncode == 1
    assert done.stderr == "usage: python -m shared.providers.scripted [PORT]; PORT is a number from 0 to 65535\n"


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = started(str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "in use" in done.stderr


async def test_a_model_can_call_the_tools_that_a_test_wants() -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function", "function": {"name": "x"}}]}
    async with (
        ScriptedServer(says={"scripted": lambda _: Turn("Two.", (("a", {"n": 1}), ("b", {})))}).listening() as made,
        httpx.AsyncClient(base_url=made.base_url, trust_env=False) as http,
    ):
        chat = {"model": "scripted", **body}
        whole = (await http.post("/chat/completions", json=chat)).json()["choices"][0]
        streamed = (await http.post("/chat/completions", json={**chat, "stream": True})).text
        plain = (await http.post("/chat/completions", json={**chat, "tools": []})).json()["choices"][0]
    calls = [(call["function"]["name"], call["function"]["arguments"]) for call in whole["message"]["tool_calls"]]
    assert calls == [("a", '{"n":1}'), ("b", "{}")]
    assert (whole["message"]["content"], whole["finish_reason"]) == ("Two.", "tool_calls")
    assert streamed.count('"name":"') == 2
    assert (plain["message"]["content"], plain["finish_reason"]) == ("Two.", "stop")
