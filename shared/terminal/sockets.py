"""Unix sockets by which a command could act outside of its sandbox, and what it still needs of the places they are in.

A socket can be connected to wherever it can be seen, on a read-only disk too. Docker's, the session bus, service managers and
agents lie under /run, so that little of it is shown.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

RUN = ("/run", "/var/run")
NEEDED = (
    "/etc/resolv.conf",
    "/etc/localtime",
    "/run/current-system",
    "/run/booted-system",
    "/run/wrappers",
    "/run/opengl-driver",
    "/run/media",
)
"""What is shown of /run, or leads into it: names of hosts, the programs of NixOS, disks that were plugged in."""

ELSEWHERE = (
    "/tmp/.X11-unix",  # noqa: S108 - hidden, not used
    "/tmp/ssh-*",  # noqa: S108
    "/var/lib/incus/unix.socket",
    "/var/lib/lxd/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "~/.colima/*/docker.sock",
    "~/.docker/desktop/docker.sock",
    "~/.docker/run/docker.sock",
    "~/.gnupg/S.*",
    "~/.rd/docker.sock",
    "~/.ssh/agent",
)


@dataclass(frozen=True, slots=True)
class Sockets:
    """Those around a gateway: in its user's home, and the SSH agent of that user, which may be had by that user alone."""

    home: str = ""
    agent: str = ""

    def run_directories(self) -> tuple[str, ...]:
        """The directories that hardly anything is shown of."""
        return tuple(sorted({os.path.realpath(path) for path in RUN if os.path.isdir(path)}))

    def shown(self, *, agent: bool) -> Iterator[str]:
        """What is shown of them nonetheless, as it is."""
        bases = self.run_directories()
        found = [os.path.realpath(path) for path in NEEDED if os.path.exists(path)]
        if agent and self.agent:
            found.append(os.path.realpath(self.agent))
        yield from (path for path in dict.fromkeys(found) if os.path.exists(path) and _inside(path, bases))

    def hidden(self, *, agent: bool) -> Iterator[str]:
        """What is hidden in other places."""
        own = os.path.realpath(self.agent) if self.agent else ""
        if own and not agent and os.path.exists(own) and not _inside(own, self.run_directories()):
            yield own
        for pattern in ELSEWHERE:
            if pattern.startswith("~") and not self.home:
                continue
            for path in glob.glob(pattern.replace("~", glob.escape(self.home), 1)):
                if not (agent and own and _inside(own, (os.path.realpath(path),))):
                    yield os.path.realpath(path)

    def runtime_directories(self) -> Iterator[str]:
        """Where programs put what they need while they run; an empty one takes its place."""
        path = os.path.realpath(f"/run/user/{os.getuid()}")
        if os.path.isdir(path):
            yield path


def bwrap_first(sockets: Sockets, *, agent: bool, further: Iterable[str]) -> list[str]:
    """What of bubblewrap's arguments comes before all that is shown in those directories for other reasons."""
    bases = sockets.run_directories()
    arguments: list[str] = []
    for path in bases:
        arguments += ["--tmpfs", path]
    for path in sockets.runtime_directories():
        arguments += ["--tmpfs", path]
    for path in (*sockets.shown(agent=agent), *(path for path in further if _inside(path, bases))):
        arguments += ["--ro-bind", path, path]
    return arguments


def bwrap_last(sockets: Sockets) -> list[str]:
    """What comes after it."""
    return [argument for path in sockets.run_directories() for argument in ("--remount-ro", path)]


def _inside(path: str, bases: Sequence[str]) -> bool:
    return any(path == base or path.startswith(base.rstrip("/") + "/") for base in bases)
