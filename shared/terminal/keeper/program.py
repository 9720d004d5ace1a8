"""The keeper itself: has a warden ready for the next command, and ends what a warden that was killed has left.

`keepers.py` starts it. It goes when the gateway does, however that ended, once its wardens have ended theirs. Under Landlock
a guard is above it, outside of its domain, whom no command can signal.
"""

import gc
import json
import mmap
import os
import select
import signal
import socket
import time
from collections.abc import Sequence

from shared.terminal.keeper import confinement, headcount, mark, processes, warden
from shared.terminal.keeper.headcount import Headcount

LIMIT = 5.0
RETRY = 0.02


def main(descriptor: int, rules: str, most_processes: int, most_bytes: int) -> None:
    """Serve the gateway at the other end of this socket, confined as told."""
    os.set_inheritable(descriptor, False)
    os.umask(0o022)
    os.chdir("/")
    processes.adopt_orphans()
    processes.close_to_others(True)
    mark.mark()
    headcount.raise_wall(most_processes)
    headcount.raise_memory_wall(most_bytes)
    held = json.loads(rules)
    gateway = socket.socket(fileno=descriptor)
    if ports := held.pop("listen", None):
        _hand_over_listeners(gateway, ports)
    if held.get("files"):
        _guard(descriptor)
    confinement.enter(held)
    gc.freeze()
    _Keeper(gateway, Headcount(most_processes, most_bytes)).run()


def _hand_over_listeners(gateway: socket.socket, ports: Sequence[int]) -> None:
    """Give the gateway listeners of this sandbox's loopback, but for low ports that may not be had."""
    listeners = []
    for port in ports:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", port))
        except PermissionError:
            listener.close()
            continue
        listener.listen(128)
        listeners.append(listener)
    socket.send_fds(gateway, [b"."], [listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()


def _guard(descriptor: int) -> None:
    """Go on in a child. This process ends all that the child leaves, which a command can kill with its wardens."""
    keeper = os.fork()
    if keeper == 0:
        processes.adopt_orphans()
        return
    os.close(descriptor)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 2)  # whose end tells the gateway of the keeper's
    while True:
        pid, status = os.waitpid(-1, os.WUNTRACED)
        if pid == keeper and os.WIFSTOPPED(status):  # by a command, to get away from it
            os.kill(keeper, signal.SIGKILL)
        elif pid == keeper:
            break
    while processes.freeze_and_kill():
        time.sleep(RETRY)
        _reap_all()
    os._exit(0)


def _reap_all() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


class _Keeper:
    """Has wardens ready: the idle ones wait on the gateway's socket themselves, so that no command goes by way of this."""

    def __init__(self, gateway: socket.socket, headcount: Headcount) -> None:
        self._gateway = gateway
        self._headcount = headcount
        self._wardens: set[int] = set()
        self._idle: set[int] = set()
        self._idle_count = mmap.mmap(-1, 1)
        self._strays = False
        self._wake = warden.wake_up_pipe()
        self._states, self._tell = os.pipe()
        os.set_blocking(self._states, False)
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        self._poll.register(self._states, select.POLLIN)
        self._poll.register(gateway, 0)
        gateway.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, warden.PATIENT_SECONDS)

    def run(self) -> None:
        """Until the gateway has gone, and for a moment more."""
        while self._step():
            continue
        deadline = time.monotonic() + LIMIT
        self._poll.unregister(self._gateway)
        self._gateway.close()
        while (self._wardens or self._strays) and time.monotonic() < deadline:
            self._poll.poll(RETRY * 1000)
            self._look_around()

    def _step(self) -> bool:
        """One thing that happened; whether the gateway is still there."""
        error = self._have_one_ready()
        self._poll.modify(self._gateway, select.POLLIN if error else 0)
        ready = dict(self._poll.poll(self._pause(error)))
        self._look_around()
        gateway = ready.get(self._gateway.fileno(), 0)
        if error and gateway & select.POLLIN:
            return self._turn_away(error)
        return not gateway & (select.POLLHUP | select.POLLERR)

    def _pause(self, error: OSError | None) -> float | None:
        """Milliseconds until it is time to look around, if nothing happens."""
        if self._strays or error:
            return RETRY * 1000
        tick = self._headcount.tick
        return tick * 1000 if tick and len(self._wardens) > len(self._idle) else None

    def _look_around(self) -> None:
        warden.drained(self._wake)
        self._take_states()
        self._reap()
        if self._strays:  # what a warden leaves that was killed becomes ours
            self._strays = processes.freeze_and_kill(spared=self._wardens)
        for crowded in self._headcount.crowded(self._wardens - self._idle):
            headcount.end_all_below(crowded, signal.SIGUSR1)
        for heavy in self._headcount.heavy(self._wardens - self._idle):
            headcount.end_all_below(heavy, signal.SIGUSR2)
        self._idle_count[0] = min(len(self._idle), 255)

    def _have_one_ready(self) -> OSError | None:
        """See to it that there is a warden for the next command; the error when there can be none."""
        if self._idle:
            return None
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            return error
        if pid == 0:
            os.close(self._wake)
            os.close(self._states)
            warden.serve(self._gateway, self._tell, self._idle_count, parent)
        self._wardens.add(pid)
        self._idle.add(pid)
        return None

    def _turn_away(self, error: OSError) -> bool:
        """Tell whoever has a command for us why it cannot be started; whether there was one."""
        _, ancillary, _, _ = self._gateway.recvmsg(1, socket.CMSG_SPACE(warden.MOST_DESCRIPTORS * 4))
        given = warden.received(ancillary)
        if not given:
            return False
        with socket.socket(fileno=given[0]) as control:
            warden.refuse(control, error)
        for descriptor in given[1:]:
            os.close(descriptor)
        return True

    def _take_states(self) -> None:
        told = warden.drained(self._states)
        for pid, state in warden.STATE.iter_unpack(told[: len(told) - len(told) % warden.STATE.size]):
            if state == warden.TAKEN:
                self._idle.discard(pid)
            elif pid in self._wardens:
                self._idle.add(pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if not pid:
                return
            if not os.WIFSTOPPED(status):
                self._wardens.discard(pid)
                self._idle.discard(pid)
                self._strays = self._strays or os.WIFSIGNALED(status)
            elif pid in self._wardens:  # by its command, to get away from it
                os.kill(pid, signal.SIGKILL)
