"""A shell for the commands: an environment of their own, a scripted provider, and what they print."""

import asyncio
import contextlib
import json
import os
import re
import select
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.cli import main
from shared.providers.scripted import ScriptedServer
from shared.settings import Settings
from tests.support.mcp_stack import environment

ROOT = Path(__file__).parents[3]
ON_TERMINAL = {"PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1"}


@dataclass
class Done:
    """A command that has ended."""

    code: object
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, which must be JSON and nothing else."""
        return json.loads(self.out)


Shell = Callable[..., Done]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    """Runs `mcp-gateway` with arguments in this process."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {**environment(), "DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return Done(ended.value.code or 0, *capfd.readouterr())

    return run


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A scripted server on a loop of its own, as OpenAI."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stop: asyncio.Event = asyncio.Event()
    up: threading.Event = threading.Event()
    server = ScriptedServer(models=("gpt-6-luna",))

    async def serve() -> None:
        async with server.listening():
            up.set()
            await stop.wait()

    serving = asyncio.run_coroutine_threadsafe(serve(), loop)
    assert up.wait(5)
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("DEFAULT_LAYER", "L1")
    yield server
    loop.call_soon_threadsafe(stop.set)
    serving.result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def on_terminal(environ: dict[str, str], columns: int, *arguments: str) -> str:
    """What a command prints on a terminal of so many columns, without colours."""
    leader, follower = os.openpty()
    termios.tcsetwinsize(follower, (50, columns))
    process = subprocess.Popen(
        [sys.executable, "-m", "mcp_gateway", *arguments],
        env={**{name: value for name, value in environ.items() if name != "COLUMNS"}, **ON_TERMINAL},
        stdin=follower,
        stdout=follower,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    found = b""
    with open(leader, "rb", buffering=0) as screen, contextlib.suppress(OSError):  # Linux: EIO at the end
        while select.select([screen], [], [], 20)[0] and (some := screen.read(65536)):
            found += some
    assert process.wait(10) == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", found.decode()).replace("\r\n", "\n")


@pytest.fixture
def environ() -> dict[str, str]:
    """For subprocesses."""
    return dict(os.environ)
