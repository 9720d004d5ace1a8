"""A run of load, and the CPU time that the server spent on it."""

import time
from collections.abc import Callable

import load
from load import Sample
from targets import Target

CONNECTIONS = 64
SETTLE_SECONDS = 0.6
"""What a server still does after its last answer (the ledger's rows are written within half a second) counts too."""


def metered(
    target: Target,
    request: bytes,
    fault_of: Callable[[int, bytes], str | None],
    *,
    connections: int,
    seconds: float = 0.0,
    each: int | None = None,
    warm_seconds: float = 0.0,
) -> tuple[Sample, float]:
    """A run, and the CPU seconds that the target's processes spent on it."""
    before = 0.0

    def begin() -> None:
        nonlocal before
        before = target.child.cpu_seconds()

    sample = load.run(
        target.port,
        request,
        fault_of,
        connections=connections,
        seconds=seconds,
        each=each,
        warm_seconds=warm_seconds,
        on_begin=begin,
    )
    if not sample.served:
        raise RuntimeError(f"{target.name} answered nothing rightly: {dict(sample.faults)}\n{target.child.log()}")
    if connections > 1:
        time.sleep(SETTLE_SECONDS)
    return sample, target.child.cpu_seconds() - before
