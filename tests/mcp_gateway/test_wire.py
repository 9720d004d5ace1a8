"""Stdout carries the protocol and nothing else, whoever writes to it and however early or late."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stdio_process import bare, modern, stdio_process

ROOT = Path(__file__).parents[2]
BEFORE = """
import atexit, ctypes, os, sys, warnings
print('noise of a module that is imported first')
"""
MEANWHILE = """
def load():
    sys.__stdout__.write('noise through the real stdout\\n'); sys.__stdout__.flush()
    os.write(1, b'noise through the descriptor\\n')
    ctypes.CDLL(None).puts(b'noise of native code')
    ctypes.CDLL(None).fflush(None)
    os.system('echo noise of a child; cat')
    warnings.warn('noise of a warning')
    atexit.register(print, 'noise at the end')
    raise RuntimeError('noise of a crash')
"""
MAIN = """
from mcp_gateway import stdio
stdio.load = load
from mcp_gateway.cli import main
main(['stdio'])
"""


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_whatever_is_printed_goes_to_stderr(tmp_path: Path, era: str) -> None:
    environ = bare(tmp_path, PYTHONPATH=str(ROOT))
    async with stdio_process(environ, command=(sys.executable, "-c", BEFORE + MEANWHILE + MAIN)) as host:
        envelope = modern() if era == "modern" else {}
        if era == "legacy":
            await host.shake_hands()
        assert (await host.ask("tools/list", envelope))["tools"]
        failed = await host.ask("tools/call", {"name": "list_models", "arguments": {}, **envelope})
        assert failed["isError"] is True
        host.close_stdin()
        code, rest, errors = await host.ended()
    assert code == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    for noise in (
        "imported first",
        "real stdout",
        "the descriptor",
        "native code",
        "a child",
        "a warning",
        "a crash",
        "at the end",
    ):
        assert noise in errors


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_without_somebody_to_talk_to_it_says_so(tmp_path: Path, closed: str) -> None:
    line = f"exec {sys.executable} -m mcp_gateway stdio {closed}"
    done = subprocess.run(
        ["sh", "-c", line], env=bare(tmp_path, PYTHONPATH=str(ROOT)), capture_output=True, text=True, timeout=30,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert "An MCP client starts this command" in done.stderr
    assert done.stdout == ""


async def test_a_closed_stderr_is_no_reason_to_write_elsewhere(tmp_path: Path) -> None:
    command = ("sh", "-c", 'exec "$0" -m mcp_gateway stdio 2>&-', sys.executable)
    async with stdio_process(bare(tmp_path, PYTHONPATH=str(ROOT), LOG_LEVEL="debug"), command=command) as host:
        await host.shake_hands()
        assert not (await host.ask("tools/call", {"name": "list_models", "arguments": {}})).get("isError")
        host.close_stdin()
        code, rest, _ = await host.ended()
    assert code == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
