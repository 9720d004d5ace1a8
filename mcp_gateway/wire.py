"""The two ends of the protocol on stdio, taken before anything else can read from the one or write to the other."""

from __future__ import annotations

import os
import sys

ABOVE_STANDARD = 3


class Wire:
    """The descriptors that messages come from and go to."""

    __slots__ = ("incoming", "outgoing")

    def __init__(self, incoming: int, outgoing: int) -> None:
        self.incoming = incoming
        self.outgoing = outgoing


class NoWire(Exception):
    """Stdin or stdout is closed, so there is nobody to talk to."""

    def __init__(self) -> None:
        super().__init__("stdin or stdout is closed. An MCP client starts this command, with pipes to both.")


def claim() -> Wire:
    """Take stdin and stdout for the protocol. From now on stdin is empty, and what is printed goes to stderr: by Python,
    by native code and by child processes alike.

    Raises NoWire.
    """
    if sys.stderr is None:  # whatever was opened next would become stderr, a database for instance
        _point(2, os.open(os.devnull, os.O_WRONLY))
        sys.stderr = os.fdopen(2, "w", closefd=False)
    try:
        wire = Wire(_moved(0), _moved(1))
    except OSError:
        raise NoWire from None
    _point(0, os.open(os.devnull, os.O_RDONLY))
    _point(1, os.dup(2))
    sys.stdout = sys.stderr
    return wire


def _moved(descriptor: int) -> int:
    """A duplicate that no child inherits."""
    if sys.platform == "win32":
        return os.dup(descriptor)
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, ABOVE_STANDARD)


def _point(descriptor: int, place: int) -> None:
    os.dup2(place, descriptor)
    if place != descriptor:
        os.close(place)
