"""The mark that tells a gateway's commands from the other processes of their user, for as long as they live.

It is a hard limit that the kernel keeps but no longer applies: RLIMIT_LOCKS, which is unlimited elsewhere (getrlimit(2)). Every
descendant inherits it, whatever becomes of its parents, its session, its environment and its user, and only
CAP_SYS_RESOURCE in the first user namespace can raise it again. Anybody may read it in /proc/PID/limits.
"""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

RLIMIT_LOCKS = 10
HIGHEST = 1 << 40


@contextmanager
def marked_as_gateway() -> Iterator[None]:
    """Mark this process alone, by the soft limit, as a gateway, whose own connections (telnet sessions) are made for its callers."""
    if sys.platform != "linux":
        yield
        return
    soft, hard = resource.getrlimit(RLIMIT_LOCKS)
    resource.setrlimit(RLIMIT_LOCKS, (HIGHEST + 1 if hard == resource.RLIM_INFINITY else max(hard - 1, 0), hard))
    try:
        yield
    finally:
        resource.setrlimit(RLIMIT_LOCKS, (soft, hard))


def mark() -> None:
    """Mark this process and all that it will start, below the mark that it may have itself."""
    if sys.platform == "linux":
        _, hard = resource.getrlimit(RLIMIT_LOCKS)
        lower = HIGHEST if hard == resource.RLIM_INFINITY else max(hard - 1, 0)
        resource.setrlimit(RLIMIT_LOCKS, (lower, lower))
