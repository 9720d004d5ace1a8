"""How `mcp-gateway stdio` begins: its options, and which of its forms runs. A host waits for it, so this imports next to nothing."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

FAILED = 1
MISUSED = 2
CONNECT = "--connect"
SIDECAR = "--sidecar"


class Options:
    """`connect` is the gateway to bridge to: None for none, empty for the one of the settings."""

    __slots__ = ("connect", "sidecar")

    def __init__(self, *, connect: str | None = None, sidecar: bool = False) -> None:
        self.connect = connect
        self.sidecar = sidecar


def parse(arguments: Sequence[str]) -> Options | None:
    """The options, or None for what is not plain: help, and mistakes, which are not in a hurry."""
    connect: str | None = None
    sidecar = False
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == CONNECT and connect is None:
            connect = rest.pop(0) if rest and not rest[0].startswith("-") else ""
        elif argument.startswith(CONNECT + "=") and connect is None:
            connect = argument.partition("=")[2]
        elif argument == SIDECAR:
            sidecar = True
        else:
            return None
    return Options(connect=connect, sidecar=sidecar)


def run(options: Options) -> int:
    """Serve until stdin ends or a signal comes; returns the exit code."""
    if options.connect is not None and options.sidecar:
        print("error: --connect uses a gateway that runs, --sidecar opens one: take one of them.", file=sys.stderr)
        return MISUSED
    from mcp_gateway.wire import NoWire, claim

    try:
        wire = claim()
    except NoWire as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    if options.connect is not None:
        from mcp_gateway.bridge.main import bridge

        bridge(wire, options.connect)  # comes back only when there is no gateway to connect to
    handover = None
    if sys.platform != "win32":  # there pipes cannot be waited for together
        from mcp_gateway.greeting import greet, load

        handover = greet(wire, load)
        if handover is None:
            _leave()
    from mcp_gateway import stdio

    stdio.main(wire, sidecar=options.sidecar, handover=handover)
    return 0


def _leave() -> NoReturn:
    """Without waiting for the thread that may be importing."""
    sys.stderr.flush()
    os._exit(0)
