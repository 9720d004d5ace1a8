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

from shared.structured import get_logger
from shared.terminal.child import START_LIMIT, Child, Launch
from shared.terminal.egress import Egress, Outlet
from shared.terminal.process_groups import Group, NoGroup
from shared.terminal.sandbox import Sandbox

log = get_logger(__name__)

ROOT = str(Path(__file__).parents[2])
BOOT = "import sys; sys.path.append(sys.argv[1]); from shared.terminal.keeper.program import main; main(int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))"
"""With neither site-packages nor anything of the user's on the path: it starts in a third of the time, and alone."""

END_SECONDS = 6.0
MOST_KEEPERS = 8
"""Views of the disk that are kept open; beyond that, those that nothing runs in are closed."""

MOST_LISTENERS = 253
"""Descriptors that Linux passes with one message."""

UNUSED_SECONDS = 120.0
"""So long after its last use a view is closed that nothing runs in. The next command opens it again."""


@dataclass(frozen=True, slots=True)
class View:
    """What a keeper is for: directories that may be written, whose processes and terminals are seen there, and whether
    the SSH agent of the gateway's user is.
    """

    writable: tuple[str, ...]
    owner: str
    agent: bool = True


class Keeper:
    """A running keeper."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        gateway: socket.socket,
        group: Group | NoGroup,
        outlet: Outlet | None = None,
    ) -> None:
        self.alive = True
        self.said = ""
        self._process = process
        self._group = group
        self._gateway = gateway
        self._outlet = outlet
        self._children: list[Child] = []
        self._nothing = os.open(os.devnull, os.O_RDWR)
        self._loop = asyncio.get_running_loop()
        assert process.stderr is not None
        self._errors = process.stderr
        os.set_blocking(self._errors.fileno(), False)
        self._loop.add_reader(self._errors.fileno(), self._on_said)
        self._ending: asyncio.Future[None] | None = None

    @classmethod
    async def start(
        cls,
        prefix: Sequence[str],
        rules: "dict[str, object]",
        *,
        most_processes: int = 0,
        most_bytes: int = 0,
        outlet: Outlet | None = None,
        group: Group | NoGroup = NoGroup(),  # noqa: B008 - it has no state
    ) -> Self:
        """Start one whose commands may have so many processes and bytes of memory each; 0 is no limit. Raises OSError.

        `outlet` serves at the ports of its loopback that the rules name.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                arguments = [str(theirs.fileno()), json.dumps(rules), str(most_processes), str(most_bytes)]
                process = await asyncio.to_thread(_spawn, [*group.entering(), *prefix], arguments, theirs.fileno())
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        keeper = cls(process, ours, group, outlet)
        if outlet is not None:
            try:
                await outlet.open(await _listeners(ours))
            except BaseException:
                await keeper.aclose()
                raise
        return keeper

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
        if self._outlet is not None:
            self._outlet.close()
        self._gateway.close()
        self._loop.remove_reader(self._errors.fileno())
        self._errors.close()
        os.close(self._nothing)
        self._ending = asyncio.ensure_future(self._reap())

    async def _reap(self) -> None:
        await asyncio.to_thread(_reaped, self._process)
        await asyncio.to_thread(self._group.remove)


class Keepers:
    """The keepers that are running, each for one caller and the directories that may be written in it."""

    def __init__(
        self, sandbox: Sandbox, *, egress: Egress | None = None, unused_seconds: float = UNUSED_SECONDS
    ) -> None:
        self.sandbox = sandbox
        self.egress = egress
        self._unused_seconds = unused_seconds
        self._hidden = sandbox.hidden_directories()
        self._keepers: dict[View, asyncio.Task[Keeper]] = {}
        self._wanted: Counter[View] = Counter()
        self._timers: dict[View, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many are running."""
        return len(self._keepers)

    async def child(self, view: View, launch: Launch) -> Child:
        """Start a process where it sees this. Raises OSError."""
        self._wanted[view] += 1
        try:
            return await (await self._keeper(view)).child(launch)
        finally:
            self._wanted[view] -= 1
            if not self._wanted[view]:
                del self._wanted[view]
            self._look_again(view)

    async def aclose(self) -> None:
        """End them all."""
        keepers, self._keepers = self._keepers, {}
        for timer in self._timers.values():
            timer.cancel()
        await asyncio.gather(*self._closing, *(_closed(starting) for starting in keepers.values()))
        if self.egress is not None:
            await self.egress.aclose()

    def _look_again(self, view: View) -> None:
        """See after a while whether it is still in use."""
        if view in self._timers:
            self._timers.pop(view).cancel()
        if view in self._keepers:
            self._timers[view] = asyncio.get_running_loop().call_later(self._unused_seconds, self._close_unused, view)

    def _close_unused(self, view: View) -> None:
        del self._timers[view]
        if view not in self._keepers:
            return
        if self._wanted[view] or _busy(self._keepers[view]):
            self._look_again(view)
            return
        closing = asyncio.get_running_loop().create_task(_closed(self._keepers.pop(view)))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

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
        limit = self.sandbox.limit
        return await Keeper.start(
            self.sandbox.prefix(view.writable, agent=view.agent),
            self.sandbox.confinement(view.writable),
            most_processes=limit.most,
            most_bytes=limit.most_bytes,
            outlet=None if self.egress is None else self.egress.outlet(view.owner),
            group=limit.new_group(),
        )

    async def _make_room(self) -> None:
        idle = [view for view, starting in self._keepers.items() if not self._wanted[view] and not _busy(starting)]
        surplus = [self._keepers.pop(view) for view in idle[: max(0, len(self._keepers) - MOST_KEEPERS)]]
        await asyncio.gather(*(_closed(starting) for starting in surplus))


def _spawn(prefix: Sequence[str], arguments: Sequence[str], descriptor: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*prefix, sys.executable, "-I", "-S", "-c", BOOT, ROOT, *arguments],
        env={},
        cwd="/",
        pass_fds=(descriptor,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )


async def _listeners(keeper: socket.socket) -> list[socket.socket]:
    """What a keeper hands over first of all. Raises OSError."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(keeper, readable.set)
    try:
        async with asyncio.timeout(START_LIMIT):
            await readable.wait()
    finally:
        loop.remove_reader(keeper)
    _, descriptors, _, _ = socket.recv_fds(keeper, 1, MOST_LISTENERS)
    if not descriptors:
        raise OSError(0, "the sandbox's loopback cannot be listened on")
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


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
