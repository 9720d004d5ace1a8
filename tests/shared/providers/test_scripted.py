"""The scripted provider, started by itself; what it answers is tested by what asks it."""

import socket
import subprocess
import sys

import httpx
import pytest

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
