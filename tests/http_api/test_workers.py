"""The supervisor of several processes: what it does about those that cannot be started, and where their sockets are."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from http_api import workers
from http_api.workers import Workers, supervise
from tests.support.http_gateway import settings_for
from tests.support.logs import logged_by
from tests.support.waiting import until

SERVES = """
tie = socket.socket(fileno=int(sys.argv[sys.argv.index("--tie") + 1]))
tie.send(b"r")
with open(os.environ["STARTED"], "a") as started:
    started.write(f"{os.getpid()}\\n")
signal.pause()
"""
BINDS = """
socket.socket(socket.AF_UNIX).bind(os.environ["NODE_URL"].removeprefix("unix:"))
os._exit(7)
"""


def program(folder: Path, text: str) -> Path:
    made = folder / "worker"
    made.write_text(f"#!{sys.executable} -S\nimport os, signal, socket, sys\n{text}")
    made.chmod(0o700)
    return made


async def test_a_worker_that_cannot_be_started_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CALM_SECONDS", 0.01)
    started, away, worker = tmp_path / "started", tmp_path / "away", program(tmp_path, SERVES)
    started.touch()
    with socket.create_server(("127.0.0.1", 0)) as listener, logged_by(workers) as lines:
        there = Workers([str(worker)], {**os.environ, "STARTED": str(started)}, [[listener]], tmp_path)
        running = asyncio.create_task(there.run())
        await until(lambda: bool(started.read_text()))
        worker.rename(away)
        os.kill(int(started.read_text()), signal.SIGKILL)
        await until(lambda: sum("cannot be started" in line["event"] for line in lines) > 1)
        away.rename(worker)
        await until(lambda: len(started.read_text().splitlines()) == 2)
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await running == 0


async def test_it_ends_while_a_worker_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CALM_SECONDS", 0.01)
    started, worker = tmp_path / "started", program(tmp_path, SERVES)
    started.touch()
    with socket.create_server(("127.0.0.1", 0)) as listener, logged_by(workers) as lines:
        there = Workers([str(worker)], {**os.environ, "STARTED": str(started)}, [[listener], [listener]], tmp_path)
        running = asyncio.create_task(there.run())
        await until(lambda: len(started.read_text().splitlines()) == 2)
        worker.unlink()
        os.kill(int(started.read_text().split()[1]), signal.SIGKILL)
        await until(lambda: any("cannot be started" in line["event"] for line in lines))
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await running == 0


def test_socket_files_have_paths_that_the_system_takes(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as short:
        settings = settings_for(Path(short) / ("字" * 49), redis_url="redis://127.0.0.1:1/0")
        assert supervise(settings, [str(program(tmp_path, BINDS))]) == 7
