"""The process above one command: starts it, tells of its end, and is free when nothing that it started is left.

It is the parent of all orphans below it, so that neither `setsid` nor a double fork nor a cleared environment hides
anything. It ends everything when told to by a byte, the first signal to send, or when the gateway's end closes.
"""

import json
import mmap
import os
import resource
import select
import signal
import socket
import struct
import termios
import time
from typing import Any, NoReturn

from shared.terminal.keeper import processes

STARTED, FAILED, ENDED, CROWDED, HEAVY = b"S", b"F", b"E", b"C", b"M"
"""What is told to the gateway; each with a number: none, the error, the wait status, none, none."""

TOO_MUCH = {signal.SIGUSR1: CROWDED, signal.SIGUSR2: HEAVY}
"""The keeper's word that there are too many processes below, or that they have too much memory."""

RECORD = struct.Struct("!ci")
LENGTH = struct.Struct("!I")
STATE = struct.Struct("!ic")
TAKEN, FREE = b"-", b"+"
MOST_IDLE = 2
MOST_DESCRIPTORS = 5
REPORT = 9
"""Where the shell has the pipe for its state."""

IDLE_SECONDS = 2
PATIENT_SECONDS = struct.pack("@ll", IDLE_SECONDS, 0)
"""A timeval: how long an idle warden waits for a command before it looks whether there are too many of them."""

GRACE = 0.4
PATIENCE = (0.01, 1.0)
DEFAULTS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGCHLD,
)


def serve(gateway: socket.socket, states: int, idle: mmap.mmap, parent: int) -> NoReturn:
    """See through one command after the other, as they are handed over; each to its very end.

    `states` is told when one was taken and when this process is free again; `idle` says how many others are.
    """
    wake = wake_up_pipe()
    for number in TOO_MUCH:
        signal.signal(number, lambda *_: None)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 2)  # whose end tells of the keeper's
    while True:
        processes.die_with_parent(True)
        if os.getppid() != parent:
            os._exit(0)
        given = _handed_over(gateway, idle)
        if not given:
            os._exit(0)
        processes.die_with_parent(False)
        os.write(states, STATE.pack(os.getpid(), TAKEN))
        with socket.socket(fileno=given[0]) as control:
            _see_through(control, given[1:], wake)
        if idle[0] >= MOST_IDLE:
            os._exit(0)
        os.chdir("/")
        os.write(states, STATE.pack(os.getpid(), FREE))


def _handed_over(gateway: socket.socket, idle: mmap.mmap) -> list[int]:
    """The descriptors of the next command; none when the gateway has gone, or others wait that are enough."""
    while True:
        try:
            _, ancillary, _, _ = gateway.recvmsg(1, socket.CMSG_SPACE(MOST_DESCRIPTORS * 4))
        except BlockingIOError:  # nothing came in time
            if idle[0] > MOST_IDLE:
                return []
        else:
            return received(ancillary)


def _see_through(control: socket.socket, given: list[int], wake: int) -> None:
    drained(wake)  # of what was meant for the command before
    try:
        order = _order(control)
        child = _start(order, given, control)
    except (OSError, ValueError) as error:
        refuse(control, error)
        os._exit(1)
    finally:
        for descriptor in given:
            os.close(descriptor)
    _Watch(control, child, wake).run()


def received(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors that came with a message; no program inherits them."""
    found = [
        descriptor
        for level, kind, data in ancillary
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS
        for (descriptor,) in struct.iter_unpack("i", data[: len(data) - len(data) % 4])
    ]
    for descriptor in found:
        os.set_inheritable(descriptor, False)
    return found


def refuse(control: socket.socket, error: Exception) -> None:
    """Say why there is no command."""
    try:
        control.sendall(RECORD.pack(FAILED, getattr(error, "errno", 0) or 0))
    except OSError:  # nobody waits for it
        return


def drained(descriptor: int) -> bytes:
    """What can be read from it now."""
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def wake_up_pipe() -> int:
    """A descriptor that is readable when a child has ended."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _order(control: socket.socket) -> dict[str, Any]:
    (length,) = LENGTH.unpack(_exactly(control, LENGTH.size))
    order: dict[str, Any] = json.loads(_exactly(control, length))
    return order


def _exactly(control: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = control.recv(min(size - len(data), 1 << 20))
        if not part:
            os._exit(0)
        data += part
    return bytes(data)


def _start(order: dict[str, Any], given: list[int], control: socket.socket) -> int:
    processes.adopt_orphans()
    os.chdir(order["cwd"])
    if order["umask"] >= 0:
        os.umask(order["umask"])
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    if order["terminal"]:
        return _start_on_terminal(order, control)
    actions: list[Any] = [(os.POSIX_SPAWN_DUP2, given[number], number) for number in range(3)]
    if len(given) > 3:
        actions.append((os.POSIX_SPAWN_DUP2, given[3], REPORT))
    child = _spawn(order, actions)
    control.sendall(RECORD.pack(STARTED, 0))
    return child


def _start_on_terminal(order: dict[str, Any], control: socket.socket) -> int:
    """Made here and not by the gateway, so that it is one of the terminals in the `/dev` that the command sees."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, tuple(order["terminal"]))
    # Opening it makes it the controlling terminal of a session leader that has none.
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, 0, 2),
    ]
    child = _spawn(order, actions)
    socket.send_fds(control, [RECORD.pack(STARTED, 0)], [master])
    os.close(master)
    os.close(slave)
    return child


def _spawn(order: dict[str, Any], actions: list[Any]) -> int:
    arguments = order["arguments"]
    return os.posix_spawn(
        arguments[0], arguments, order["env"], file_actions=actions, setsid=True, setsigmask=(), setsigdef=DEFAULTS
    )


class _Watch:
    """Waits for the end of all children, and for the order to end them."""

    def __init__(self, control: socket.socket, child: int, wake: int) -> None:
        self._control = control
        self._child = child
        self._wake = wake
        self._too_much = False
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        self._poll.register(control, select.POLLIN)

    def run(self) -> None:
        """Until nothing is left."""
        while not self._reaped_all():
            if self._asked_to_end(None):
                self._end_all(self._first_signal())
                return
            if self._too_much:
                self._end_all(signal.SIGKILL)
                return

    def _asked_to_end(self, seconds: float | None) -> bool:
        """Wait for a child to end or for the order; whether it was that."""
        ready = {descriptor for descriptor, _ in self._poll.poll(None if seconds is None else seconds * 1000)}
        if self._wake in ready:
            self._heed()
        return self._control.fileno() in ready

    def _heed(self) -> None:
        """Take in which signals came, and the keeper's word among them."""
        came = drained(self._wake)
        for number, what in TOO_MUCH.items():
            if number in came and not self._too_much:
                self._too_much = True
                self._tell(what)

    def _first_signal(self) -> int:
        try:
            byte = self._control.recv(1)
        except OSError:
            byte = b""
        return byte[0] if byte else signal.SIGTERM

    def _end_all(self, first: int) -> None:
        """The first signal, a moment to obey it, then SIGKILL until none is left; with patience for what cannot die."""
        self._poll.unregister(self._control)
        gone = False
        if first != signal.SIGKILL:
            processes.signal_all(processes.descendants(), first, signal.SIGCONT)
            gone = self._all_gone_within(GRACE)
        pause, longest = PATIENCE
        while not gone:
            processes.freeze_and_kill()
            gone = self._all_gone_within(pause)
            pause = min(pause * 2, longest)

    def _all_gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._reaped_all():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._asked_to_end(left)
        return True

    def _reaped_all(self) -> bool:
        """Take in what has ended; whether that was the last."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if not pid:
                return False
            if pid == self._child:
                self._heed()  # its end may be the keeper's doing
                self._tell(ENDED, status)

    def _tell(self, what: bytes, number: int = 0) -> None:
        try:
            self._control.sendall(RECORD.pack(what, number))
        except OSError:  # nobody waits for it
            return
