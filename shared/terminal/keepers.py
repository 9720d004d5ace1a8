"""The keepers of this gateway: the processes that start its commands, one for each caller and view of the disk."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from shared.terminal.child import Child, Launch
from shared.terminal.sandbox import Sandbox

log = structlog.stdlib.get_logger(__name__)

ROOT = str(Path(__file__).parents[2])
BOOT = "import sys; sys.path.append(sys.argv[1]); from shared.terminal.keeper.program import main; main(int(sys.argv[2]), sys.argv[3])"
"""With neither site-packages nor anything of the user's on the path: it starts in a third of the time, and alone."""

END_SECONDS = 6.0
MOST_KEEPERS = 8
"""Views of the disk that are kept open; beyond that, those that nothing runs in are closed."""


@dataclass(frozen=True, slots=True)
class View:
    """What a keeper is for: directories that may be written, and whose processes and terminals are seen there."""

    writable: tuple[str, ...]
    owner: str


class Keeper:
    """A running keeper."""

    def __init__(self, process: "subprocess.Popen[bytes]", gateway: socket.socket) -> None:
        self.alive = True
        self.said = ""
        self._process = process
        self._gateway = gateway
        self._children: list[Child] = []
        self._nothing = os.open(os.devnull, os.O_RDWR)
        self._loop = asyncio.get_running_loop()
        assert process.stderr is not None
        self._errors = process.stderr
        os.set_blocking(self._errors.fileno(), False)
        self._loop.add_reader(self._errors.fileno(), self._on_said)
        self._ending: asyncio.Future[None] | None = None

    @classmethod
    async def start(cls, prefix: Sequence[str], rules: "dict[str, object]") -> Self:
        """Start one. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.to_thread(_spawn, prefix, json.dumps(rules), theirs.fileno())
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        return cls(process, ours)

    @property
    def busy(self) -> bool:
        """Whether anything runs that it has started."""
        return any(not child.gone.is_set() for child in self._children)

    async def child(self, launch: Launch) -> Child:
        """Start a process. Raises OSError."""
        child = await Child.start(self, launch)
        self._children = [kept for kept in (*self._children, child) if not kept.gone.is_set()]
        return child

    def hand_over(self, control: socket.socket, descriptors: Sequence[int]) -> None:
        """Give a command to one of its wardens. Raises OSError."""
        if not self.alive:
            raise OSError(0, "its keeper ended")
        given = [self._nothing if descriptor < 0 else descriptor for descriptor in descriptors]
        socket.send_fds(self._gateway, [b"."], [control.fileno(), *given])

    async def aclose(self) -> None:
        """End it with whatever it still keeps."""
        self._end()
        if self._ending is not None:
            await asyncio.shield(self._ending)

    def _on_said(self) -> None:
        """Only the keeper itself has the other end, not those that it starts, so that this tells of its end too."""
        if not self._hear():
            log.warning("the keeper of local commands ended", pid=self._process.pid, said=self.said)
            self._end()

    def _hear(self) -> bool:
        """Take in what it says; false once it can say no more."""
        said = self._errors.read(4096)
        self.said = (self.said + (said or b"").decode(errors="replace"))[-500:]
        return said != b""

    def _end(self) -> None:
        if not self.alive:
            return
        self.alive = False
        self._hear()
        self._gateway.close()
        self._loop.remove_reader(self._errors.fileno())
        self._errors.close()
        os.close(self._nothing)
        self._ending = asyncio.ensure_future(self._reap())

    async def _reap(self) -> None:
        await asyncio.to_thread(_reaped, self._process)


class Keepers:
    """The keepers that are running, each for one caller and the directories that may be written in it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._hidden = sandbox.hidden_directories()
        self._keepers: dict[View, asyncio.Task[Keeper]] = {}
        self._wanted: Counter[View] = Counter()

    async def child(self, view: View, launch: Launch) -> Child:
        """Start a process where it sees this. Raises OSError."""
        self._wanted[view] += 1
        try:
            return await (await self._keeper(view)).child(launch)
        finally:
            self._wanted[view] -= 1
            if not self._wanted[view]:
                del self._wanted[view]

    async def aclose(self) -> None:
        """End them all."""
        keepers, self._keepers = self._keepers, {}
        await asyncio.gather(*(_closed(starting) for starting in keepers.values()))

    async def _keeper(self, view: View) -> Keeper:
        starting = self._keepers.get(view)
        if starting is None or _failed(starting):
            starting = asyncio.get_running_loop().create_task(self._start(view))
            self._keepers[view] = starting
            await self._make_room()
        return await asyncio.shield(starting)

    async def _start(self, view: View) -> Keeper:
        if self.sandbox.hidden_directories() != self._hidden:
            raise OSError(0, "the gateway's own directory has been moved; restart the gateway")
        return await Keeper.start(self.sandbox.prefix(view.writable), self.sandbox.confinement(view.writable))

    async def _make_room(self) -> None:
        idle = [view for view, starting in self._keepers.items() if not self._wanted[view] and not _busy(starting)]
        surplus = [self._keepers.pop(view) for view in idle[: max(0, len(self._keepers) - MOST_KEEPERS)]]
        await asyncio.gather(*(_closed(starting) for starting in surplus))


def _spawn(prefix: Sequence[str], rules: str, descriptor: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*prefix, sys.executable, "-I", "-S", "-c", BOOT, ROOT, str(descriptor), rules],
        env={},
        cwd="/",
        pass_fds=(descriptor,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )


def _reaped(process: "subprocess.Popen[bytes]") -> None:
    """Wait for its end, which comes with that of our socket."""
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _failed(starting: "asyncio.Task[Keeper]") -> bool:
    return starting.done() and (starting.cancelled() or starting.exception() is not None or not starting.result().alive)


def _busy(starting: "asyncio.Task[Keeper]") -> bool:
    return not starting.done() or (not _failed(starting) and starting.result().busy)


async def _closed(starting: "asyncio.Task[Keeper]") -> None:
    await asyncio.wait({starting})
    if not starting.cancelled() and starting.exception() is None:
        await starting.result().aclose()
