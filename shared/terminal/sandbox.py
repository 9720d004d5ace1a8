"""What commands on this machine may touch, and the program that a keeper is started with to hold them to it.

Reasons: docs/decisions/sandbox.md.
"""

import os
import re
import stat
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.domain.egress import AllowedHosts
from shared.domain.terminal import LimitedBy, SandboxKind
from shared.terminal.egress import PROXY_PORT, doors
from shared.terminal.process_groups import ProcessLimit
from shared.terminal.sockets import Sockets, bwrap_first, bwrap_last

SandboxMode = Literal["auto", "required", "off"]
HOME, HERE = "~", "."
TURNED_OFF = "turned off"
LIFTED = "TERMINAL_SANDBOX"
"""The name of what wants a person's leave for commands without the sandbox, where others have a policy's."""

ASK = ' Or run it again outside of a session with "sandbox": false, which a person has to approve.'
SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var")
BESIDES_SYSTEM = ("/run/media", "/var/tmp", "/var/www")  # noqa: S108 - allowed, not used
"""Directories that a session makes writable by being opened in them are none of the system's, but may be in these."""

OWN_LOOPBACK = re.compile(
    r"(?:localhost|127\.0\.0\.1|::1)\b.*(?:refused|to server)|refused.*(?:localhost|127\.0\.0\.1|::1)\b", re.I
)
"""What programs say that find nothing on a loopback where there is something outside."""

NO_NETWORK = (
    "Network is unreachable",
    "name resolution",
    "resolve host",
    "Name or service not known",
    "Could not connect to server",
)
"""What programs say that have no network."""

DEFAULT_WRITABLE = (HOME, HERE, tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108 - allowed, not used


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Where commands may write (`~` is home, `.` the directory that a session was opened in), what in there they may
    only read, which directories, files and sockets they never see, and whether they have a network. All else they may read.

    Without a network there may be `hosts` that a proxy of the gateway lets them connect to.
    """

    writable: tuple[str, ...] = DEFAULT_WRITABLE
    protected: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    network: bool = True
    hosts: AllowedHosts | None = None
    sockets: Sockets = field(default_factory=Sockets)

    @property
    def network_shown(self) -> str:
        """What people are told of the network."""
        if self.hosts is not None:
            return f"with a network of {self.hosts.shown} only"
        return "with network" if self.network else "without network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What holds the commands: which kind, how it is set up, and a sentence on why it is not a stronger one.

    `liftable` says whether a command may run without, with a person's leave.
    """

    kind: SandboxKind = "none"
    rules: Rules = Rules()
    bwrap: str = ""
    strict: bool = False
    detail: str = ""
    liftable: bool = True
    limit: ProcessLimit = field(default_factory=ProcessLimit)

    def writable(self, home: str, here: str | None) -> tuple[str, ...]:
        """The directories that may be written, for a session that was opened `here`, where that is one to write in."""
        if self.kind == "none":
            return ()
        place = here if here is not None and self._may_become_writable(os.path.realpath(here), home) else None
        meant = (_meant(path, home, place) for path in self.rules.writable)
        return _outermost(os.path.realpath(path) for path in meant if path and os.path.isdir(path))

    def _may_become_writable(self, here: str, home: str) -> bool:
        """Whoever opens a session chooses the directory, but not the system's, the gateway's, or one that homes are in."""
        home = os.path.realpath(home)
        if here == "/" or any(_beneath(here, path) for path in (*self.rules.hidden, *self.rules.protected)):
            return False
        if _beneath(here, home) or _within(here, BESIDES_SYSTEM):
            return True
        return not _beneath(home, here) and not any(_beneath(here, os.path.realpath(path)) for path in SYSTEM)

    def prefix(self, writable: Sequence[str], *, agent: bool = True) -> list[str]:
        """What a keeper's command line begins with. `agent`: its commands may use the SSH agent of the gateway's user."""
        if self.kind != "bwrap":
            return []
        return [self.bwrap, *bwrap_arguments(writable, self.rules, agent=agent)]

    def confinement(self, writable: Sequence[str]) -> dict[str, Any]:
        """What a keeper takes on itself."""
        if self.kind == "bwrap" and self.rules.hosts is not None:
            return {"listen": [PROXY_PORT, *doors(self.rules.hosts)]}
        if self.kind == "bwrap" or (self.kind == "none" and self.rules.network):
            return {}
        files = {"writable": writable, "hidden": _outermost(self.rules.hidden), "strict": self.strict}
        return {"files": files if self.kind == "landlock" else None, "network": self.rules.network}

    def lifted(self) -> "Sandbox":
        """What holds those that run without: the limits alone."""
        return Sandbox(detail=LIFTED, limit=self.limit)

    @property
    def limited_by(self) -> LimitedBy:
        """What holds the number of processes."""
        return self.limit.by(self.kind)

    def hint(self, stderr: str) -> str | None:
        """What the sandbox had to do with a failure of which a command said this, and what lifts it; None where nothing is known."""
        if self.kind == "none":
            return None
        if "no new privileges" in stderr or ("sudo: " in stderr and "Operation not permitted" in stderr):
            return (
                f"The sandbox ({self.kind}) gives no command new privileges, so that sudo does not work in it. The user of this "
                f"machine can run the command, or set TERMINAL_SANDBOX=off.{self._or_ask}"
            )
        if "Read-only file system" in stderr or (self.kind == "landlock" and "Permission denied" in stderr):
            certainty = "keeps" if self.kind == "bwrap" else "may be the reason: it keeps"
            return (
                f"The sandbox ({self.kind}) {certainty} the disk read-only but for {', '.join(dict.fromkeys(self.rules.writable))} "
                "(~: home, .: the directory the session was opened in, unless by an API key), and the gateway's own files everywhere. "
                f"TERMINAL_WRITABLE_PATHS adds directories; TERMINAL_SANDBOX=off lifts it.{self._or_ask}"
            )
        if self.rules.hosts is not None and OWN_LOOPBACK.search(stderr):
            return (
                f"The sandbox ({self.kind}) has a loopback of its own, where services of this machine are only reached if "
                f"TERMINAL_NETWORK lists them, as in localhost:5432.{self._or_ask}"
            )
        if not self.rules.network and any(sentence in stderr for sentence in NO_NETWORK):
            if self.rules.hosts is not None:
                return (
                    f"The sandbox ({self.kind}) has no network but the proxy that HTTPS_PROXY names, which lets programs connect to the "
                    f"hosts of TERMINAL_NETWORK: {self.rules.hosts.shown}. A program that does not heed that variable has to be told of it.{self._or_ask}"
                )
            return f"The sandbox ({self.kind}) has no network. TERMINAL_NETWORK=on lifts that.{self._or_ask}"
        return None

    @property
    def _or_ask(self) -> str:
        return ASK if self.liftable else ""

    def hidden_directories(self) -> tuple[tuple[int, int] | None, ...]:
        """Which directories now lie where they are hidden, each by device and inode; None for anything else."""
        return () if self.kind == "none" else tuple(_identity(path) for path in self.rules.hidden)

    @property
    def exposed(self) -> tuple[str, ...]:
        """What should be hidden and cannot be, since Landlock hides nothing in a directory that may be written."""
        if self.kind != "landlock" or self.strict:
            return () if self.kind != "none" else _outermost(self.rules.hidden)
        home = os.path.expanduser(HOME)
        bases = self.writable(home, None)
        return tuple(path for path in _outermost(self.rules.hidden) if any(_beneath(path, base) for base in bases))

    @property
    def unprotected(self) -> tuple[str, ...]:
        """What should only be read and can be changed, since Landlock takes nothing back from what it has granted."""
        bases = self.writable(os.path.expanduser(HOME), None) if self.kind == "landlock" else ()
        return tuple(path for path in _present(self.rules.protected) if _within(path, bases))


def bwrap_arguments(writable: Iterable[str], rules: Rules, *, agent: bool = True) -> list[str]:
    """A view of this machine that is read-only but for some directories, with processes and devices of its own."""
    bases = tuple(writable)
    protected = [path for path in _present(rules.protected) if _within(path, bases)]
    absent = [path for path in _absent(rules.hidden) if _within(path, bases) and not _within(path, protected)]
    hidden = _outermost((*absent, *_present((*rules.hidden, *rules.sockets.hidden(agent=agent)))))
    arguments = ["--unshare-pid", "--as-pid-1", "--ro-bind", "/", "/"]
    arguments += bwrap_first(rules.sockets, agent=agent, further=rules.protected)
    for path in (*bases, *_leading_to((*protected, *hidden), bases)):
        arguments += ["--bind", path, path]
    arguments += ["--dev", "/dev", "--proc", "/proc", *_kernel_read_only()]
    for path in protected:
        arguments += ["--ro-bind", path, path]
    for path in hidden:
        over = ["--tmpfs", path, "--remount-ro", path] if os.path.isdir(path) else ["--ro-bind", os.devnull, path]
        arguments += over
    arguments += bwrap_last(rules.sockets)
    if not rules.network:
        arguments.append("--unshare-net")
    if os.geteuid() == 0:  # whose capabilities bubblewrap leaves, and they undo every mount
        arguments += ["--cap-drop", "ALL"]
    return [*arguments, "--chdir", "/", "--"]


def _kernel_read_only() -> list[str]:
    """Arguments that keep the kernel's settings from being written, which belong to the whole machine: `/sys`, and all of
    `/proc` but the processes. Bubblewrap itself covers only some of it, and nothing for root.
    """
    with os.scandir("/proc") as found:
        shared = sorted(entry.path for entry in found if not entry.name.isdecimal() and _may_be_written(entry))
    return [argument for path in ("/sys", *shared) if os.path.exists(path) for argument in ("--ro-bind", path, path)]


def _may_be_written(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a directory, or a file with a write permission. Links lead to entries of their own."""
    if entry.is_symlink():
        return False
    return entry.is_dir() or bool(entry.stat().st_mode & 0o222)


def _meant(path: str, home: str, here: str | None) -> str | None:
    if path == HERE:
        return here
    return home + path[1:] if path == HOME or path.startswith(f"{HOME}/") else path


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """In order, without those inside others."""
    found: list[str] = []
    for path in sorted(set(paths)):
        if not any(_beneath(path, base) for base in found):
            found.append(path)
    return tuple(found)


def _present(paths: Iterable[str]) -> tuple[str, ...]:
    return _outermost(path for path in paths if os.path.exists(path))


def _absent(paths: Iterable[str]) -> tuple[str, ...]:
    """Those that do not exist but could be made. Bubblewrap makes an empty file of each, to have something to cover."""
    return tuple(path for path in paths if not os.path.lexists(path) and os.access(os.path.dirname(path), os.W_OK))


def _leading_to(paths: Iterable[str], bases: Sequence[str]) -> list[str]:
    """The directories between what may be written and these paths, outermost first: a mount point cannot be renamed,
    which would take what is mounted further in to a place where the next view does not look for it.
    """
    found = set()
    for path in paths:
        while _within(path := os.path.dirname(path), bases):
            found.add(path)
    return sorted(found)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None


def _within(path: str, bases: Iterable[str]) -> bool:
    return any(path != base and _beneath(path, base) for base in bases)


def _beneath(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")
