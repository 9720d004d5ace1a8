"""Several processes that serve one port: started, watched, started again when they die, and ended together."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from http_api.serve import EXIT_FAILED, EXIT_REFUSED, CannotServe, listen, say
from http_api.server import ending_signals
from shared import logging
from shared.settings import Settings, secret_variables
from shared.structured import get_logger
from shared.terminal.concealment import conceal

log = get_logger(__name__)

Listen = Callable[[], list[socket.socket]]

READY = b"r"
READY_SECONDS = 120.0
CALM_SECONDS = 5.0
"""A worker that dies sooner than this after its start is started again only after a pause."""
HUNG_SECONDS = 30.0
"""A worker ends sooner than this once the grace for running work is over."""
ENDED_BY_SIGNAL = 128
"""What a command's exit code begins from when a signal has ended it."""

LONGEST_FOLDER = 80
"""In bytes. The path of a socket file has room for 103 on some systems, and each name in the folder takes some."""


def supervise(settings: Settings, command: Sequence[str], *, allow_open: bool = False) -> int:
    """Run `settings.workers` processes of a command until a signal; returns the exit code."""
    logging.configure(settings.log_level, settings.log_format)  # its lines stand among those of the workers
    conceal(secret_variables())
    try:
        sockets, again = _listen(settings, allow_open=allow_open)
    except CannotServe as error:
        say(f"error: {error}")
        return error.exit_code
    folder = _folder(settings.data_dir / "run")
    try:
        patience = settings.shutdown_drain + settings.shutdown_grace
        workers = Workers(command, os.environ, sockets, folder, listen_again=again, patience=patience)
        return asyncio.run(workers.run())
    finally:
        for listener in {listener for listeners in sockets for listener in listeners}:
            listener.close()
        shutil.rmtree(folder, ignore_errors=True)


def _listen(settings: Settings, *, allow_open: bool) -> tuple[list[list[socket.socket]], Listen | None]:
    """Listening sockets for each worker, and how to open others for one; the same for all, and no others, where the
    system does not divide connections well.
    """
    if not settings.redis_url.get_secret_value():
        raise CannotServe(
            "Several processes count rate limits and budgets together only through Redis: set REDIS_URL, or WORKERS=1.",
            exit_code=EXIT_REFUSED,
        )
    if settings.node_url:
        raise CannotServe(
            "NODE_URL names one process: set WORKERS=1 and start one `serve` for each address, or leave NODE_URL out.",
            exit_code=EXIT_REFUSED,
        )
    divided = sys.platform == "linux"
    first = listen(settings, allow_open=allow_open, shared=divided)
    if not divided:
        return [first] * settings.workers, None
    settled = settings.model_copy(update={"api_port": first[0].getsockname()[1]})
    again = partial(listen, settled, allow_open=allow_open, shared=True)
    return [first, *(again() for _ in range(1, settings.workers))], again


def _folder(wanted: Path) -> Path:
    """Where the processes' socket files are: a path of theirs may not be long."""
    if len(os.fsencode(wanted)) > LONGEST_FOLDER:
        return Path(tempfile.mkdtemp(prefix="mcp-gateway-"))
    wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=wanted, prefix=""))


@dataclass(slots=True)
class Worker:
    """One process; `tie` is our end of the socket between us."""

    process: asyncio.subprocess.Process
    tie: socket.socket
    started: float


class Workers:
    """Runs `count` processes of a command, each on a listening socket of its own.

    `command` is given `--fd` and `--tie` with the numbers of the descriptors that it inherits. With `listen_again` the
    sockets of a worker that must wait for its next start are closed: the system would go on giving it its share of the
    connections, and nobody would answer them. A worker gets `patience` seconds for the work that it ends with.

    Workers have process groups of their own, so that Ctrl+C reaches them through the supervisor alone, and once.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        sockets: list[list[socket.socket]],
        folder: Path,
        *,
        listen_again: Listen | None = None,
        patience: float = 0.0,
    ) -> None:
        self._command = command
        self._environ = environ
        self._sockets = sockets
        self._folder = folder
        self._listen_again = listen_again
        self._patience = patience
        self._processes: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()
        self._signal: int = signal.SIGTERM
        self._code = 0

    async def run(self) -> int:
        """Until a signal; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in ending_signals():
            loop.add_signal_handler(number, self._heed, number)
        first = await self._start(0)
        if not await self._ready(first):
            return await self._ended(first)
        keepers = [
            loop.create_task(self._keep(index, first if index == 0 else None)) for index in range(len(self._sockets))
        ]
        await self._stopping.wait()
        await asyncio.gather(*keepers)
        return self._code

    def _heed(self, number: int) -> None:
        """Pass the first signal on to all workers, and then those that insist."""
        if not self._stopping.is_set():
            self._signal = number
            self._stopping.set()
        elif number in (signal.SIGINT, signal.SIGTERM):
            for process in self._processes:
                _send(process, number)

    async def _keep(self, index: int, worker: Worker | None) -> None:
        """Have one worker run, for as long as this goes on."""
        loop = asyncio.get_running_loop()
        while worker is not None or not self._stopping.is_set():
            try:
                worker = worker or await self._start(index)
            except (OSError, CannotServe) as error:
                log.error("a worker cannot be started and is tried again", worker=index, reason=str(error))
                await self._calm_down(index)
                continue
            stopping = loop.create_task(self._stopping.wait())
            ended = loop.create_task(worker.process.wait())
            await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not ended.done():
                _send(worker.process, self._signal)
                await asyncio.wait({ended}, timeout=self._patience + HUNG_SECONDS)
                if not ended.done():
                    log.error("a worker does not end and is killed", worker=index)
                    with suppress(ProcessLookupError):
                        worker.process.kill()
            code = await ended
            self._processes.discard(worker.process)
            worker.tie.close()
            if self._stopping.is_set():
                if code != ENDED_BY_SIGNAL + self._signal:  # in one that was still starting
                    self._code = self._code or max(code, 0)
                return
            log.error("a worker has died and is started again", worker=index, exit_code=code)
            if loop.time() - worker.started < CALM_SECONDS:
                await self._calm_down(index)
            worker = None

    async def _calm_down(self, index: int) -> None:
        if self._listen_again is not None:
            while self._sockets[index]:
                self._sockets[index].pop().close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CALM_SECONDS):
                await self._stopping.wait()

    async def _start(self, index: int) -> Worker:
        """Raises OSError, CannotServe."""
        if not self._sockets[index] and self._listen_again is not None:
            self._sockets[index] += self._listen_again()
        ours, theirs = socket.socketpair()
        listening = [listener.fileno() for listener in self._sockets[index]]
        path = self._folder / f"{index}.sock"
        with suppress(FileNotFoundError):
            path.unlink()
        options = [option for number in listening for option in ("--fd", str(number))]
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    *options,
                    "--tie",
                    str(theirs.fileno()),
                    *(() if index == 0 else ("--quiet",)),
                    env={**self._environ, "WORKERS": "1", "NODE_URL": f"unix:{path}"},
                    pass_fds=[*listening, theirs.fileno()],
                    process_group=0,
                )
        except OSError:
            ours.close()
            raise
        ours.setblocking(False)
        self._processes.add(process)
        return Worker(process, ours, asyncio.get_running_loop().time())

    async def _ready(self, worker: Worker) -> bool:
        """Whether it has begun to serve; False when it ended instead, or was told to."""
        loop = asyncio.get_running_loop()
        said = loop.create_task(loop.sock_recv(worker.tie, 1))
        stopping = loop.create_task(self._stopping.wait())
        await asyncio.wait({said, stopping}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not said.done():
            said.cancel()
            return False
        return said.result() == READY

    async def _ended(self, worker: Worker) -> int:
        _send(worker.process, self._signal)
        code = await worker.process.wait()
        worker.tie.close()
        return code if code >= 0 else EXIT_FAILED


def _send(process: asyncio.subprocess.Process, number: int) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)


def tied(number: int) -> None:
    """In a worker that serves now: tell the supervisor, and end when it is gone. `number` is our end of the tie."""
    tie = socket.socket(fileno=number)
    tie.setblocking(False)
    tie.send(READY)
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(tie)
        tie.close()
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(tie, gone)
