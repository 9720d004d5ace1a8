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
from http_api.serve import listen
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
ANSWERS = """
tie = socket.socket(fileno=int(sys.argv[sys.argv.index("--tie") + 1]))
with open(os.environ["STARTED"], "a") as started:
    started.write(f"{os.getpid()}\\n")
if "1.sock" in os.environ["NODE_URL"]:
    os._exit(7)
tie.send(b"r")
listening = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
while True:
    connection, _ = listening.accept()
    connection.sendall(b"ok")
    connection.close()
"""
HANGS = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tie = socket.socket(fileno=int(sys.argv[sys.argv.index("--tie") + 1]))
tie.send(b"r")
with open(os.environ["STARTED"], "a") as started:
    started.write(f"{os.getpid()}\\n")
while True:
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


async def test_a_worker_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "HUNG_SECONDS", 0.2)
    started, worker = tmp_path / "started", program(tmp_path, HANGS)
    started.touch()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environ = {**os.environ, "STARTED": str(started)}
        running = asyncio.create_task(Workers([str(worker)], environ, [[listener]], tmp_path).run())
        await until(lambda: bool(started.read_text()))
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await running == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all processes share one socket")
async def test_connections_go_to_the_others_while_a_worker_waits_for_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CALM_SECONDS", 60.0)
    started, worker = tmp_path / "started", program(tmp_path, ANSWERS)
    started.touch()
    settings = settings_for(tmp_path)
    first = listen(settings, shared=True)
    port = first[0].getsockname()[1]
    second = listen(settings.model_copy(update={"api_port": port}), shared=True)
    with logged_by(workers) as lines:
        environ = {**os.environ, "STARTED": str(started)}
        there = Workers([str(worker)], environ, [first, second], tmp_path, listen_again=list)
        running = asyncio.create_task(there.run())
        await until(lambda: any("has died" in line["event"] for line in lines))
        await until(lambda: not second)
        for _ in range(40):
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                assert await reader.read() == b"ok"
                writer.close()
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            await running
    for listener in first:
        listener.close()


async def test_a_hang_up_that_nohup_has_it_ignore_ends_nothing(tmp_path: Path) -> None:
    started, worker = tmp_path / "started", program(tmp_path, SERVES)
    started.touch()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            environ = {**os.environ, "STARTED": str(started)}
            running = asyncio.create_task(Workers([str(worker)], environ, [[listener]], tmp_path).run())
            await until(lambda: bool(started.read_text()))
            signal.raise_signal(signal.SIGHUP)
            await asyncio.sleep(0)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert not running.done()
            signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                assert await running == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_socket_files_have_paths_that_the_system_takes(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as short:
        settings = settings_for(Path(short) / ("字" * 49), redis_url="redis://127.0.0.1:1/0")
        assert supervise(settings, [str(program(tmp_path, BINDS))]) == 7
