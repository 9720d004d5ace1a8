"""What a keeper and all that it starts may do, where there is no bubblewrap: Landlock for files, seccomp for sockets.

Both can only be entered, never left, and are inherited by every program. Sources: landlock(7), seccomp(2).
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Sequence
from typing import Any

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG = 1
PATH_BENEATH = 1
OLDEST_LANDLOCK = 2
"""Version 1 forbids every rename from one directory to another."""

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
READ = EXECUTE | READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All that a version of Landlock knows of files, from that version on."""

KERNEL = ("/proc", "/sys")
DEVICES = tuple(
    f"/dev/{name}" for name in ("full", "mqueue", "null", "ptmx", "pts", "random", "shm", "tty", "urandom", "zero")
)
"""What of `/dev` commands get, as under bubblewrap: no disks, no memory, no kernel log."""

SCOPED_SINCE = 6
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2

PR_CAPBSET_DROP, CAPABILITY_VERSION = 24, 0x20080522
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""The audit number of a machine, and the number of its socket call."""

IO_URING_SETUP = 425
LOCAL_FAMILIES = (1, 16)
"""Of sockets that reach no network: AF_UNIX and AF_NETLINK."""


def landlock_version() -> int:
    """The version that the kernel has; 0 where it has none, or one that is too old."""
    if sys.platform != "linux":
        return 0
    found = int(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG))
    return found if found >= OLDEST_LANDLOCK else 0


def can_cut_network() -> bool:
    """Whether sockets can be refused here."""
    return sys.platform == "linux" and platform.machine() in MACHINES


def enter(rules: dict[str, Any]) -> None:
    """Take on the rules: `files` (`writable`, `hidden`, `strict`) and `network`. Raises OSError."""
    if not rules:
        return
    _drop_capabilities()
    _check(_libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if files := rules.get("files"):
        _enter_landlock(granted(files["writable"], files["hidden"], strict=files["strict"]), rules["network"])
    if not rules["network"]:
        _cut_network()


def granted(writable: Sequence[str], hidden: Sequence[str], *, strict: bool) -> dict[str, int]:
    """What is allowed beneath each path. Landlock only grants, so that around a hidden path all else is listed.

    In such a listing nothing new can be made; where that would be in a writable directory, only `strict` hides. Disks
    and memory in `/dev` are never granted by it, nor is writing to `/proc` and `/sys`, to those who name `/` writable.
    """
    holes = ["/dev", *(path for path in hidden if strict or not any(_beneath(path, base) for base in writable))]
    everything = RIGHTS[max(RIGHTS)]
    found = dict.fromkeys(_around(holes, "/"), READ)
    for path in _along(holes, "/"):
        found[path] = READ_DIR
    for base in writable:
        found.update(dict.fromkeys(_around([*holes, *KERNEL], base), everything))
    found["/dev"] = READ_DIR
    found.update((path, everything) for path in (*DEVICES, *(path for path in writable if _beneath(path, "/dev"))))
    return found


def _around(holes: Sequence[str], base: str) -> Iterable[str]:
    """The paths that together are all of `base` but the holes."""
    inside = [hole for hole in holes if _beneath(hole, base)]
    if any(_beneath(base, hole) for hole in holes):
        return
    if not inside:
        yield base
        return
    try:
        names = os.listdir(base)
    except OSError:
        return
    for name in names:
        yield from _around(holes, os.path.join(base, name))


def _along(holes: Iterable[str], base: str) -> Iterable[str]:
    """The directories that lead to the holes."""
    for hole in holes:
        while _beneath(hole, base) and hole != base:
            hole = os.path.dirname(hole)
            yield hole


def _beneath(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")


def _drop_capabilities() -> None:
    """As bubblewrap does: with those of root, much of other processes can be read in spite of Landlock (CAP_PERFMON)."""
    for capability in range(64):
        _libc().prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # an error where there is no such one, or none at all
    _check(_libc().capset(struct.pack("Ii", CAPABILITY_VERSION, 0), bytes(24)))


def _enter_landlock(allowed: dict[str, int], network: bool) -> None:
    version = landlock_version()
    known = RIGHTS[max(since for since in RIGHTS if since <= version)]
    scopes = SCOPE_SIGNALS | SCOPE_ABSTRACT_SOCKETS if version >= SCOPED_SINCE else 0
    attributes = struct.pack("QQQ", known, 0, scopes)
    ruleset = _check(_libc().syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    for path, rights in allowed.items():
        try:
            _allow(ruleset, path, rights & known)
        except OSError:  # it has gone, or may not be looked at anyway
            continue
    _check(_libc().syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if not os.path.isdir(path) or os.path.islink(path):
            rights &= OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        _check(_libc().syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _cut_network() -> None:
    """Refuse sockets of every family but the local ones, also by way of io_uring and of foreign call numbers."""
    audit, socket_call = MACHINES[platform.machine()]
    load_number, load_machine, load_family = (0x20, 0, 0, 0), (0x20, 0, 0, 4), (0x20, 0, 0, 16)
    program = [
        load_machine,
        (0x15, 1, 0, audit),
        (0x06, 0, 0, REFUSE | errno.ENOSYS),
        load_number,
        (0x35, 0, 1, 0x40000000),  # the numbers of x32
        (0x06, 0, 0, REFUSE | errno.ENOSYS),
        (0x15, 0, 1, IO_URING_SETUP),
        (0x06, 0, 0, REFUSE | errno.ENOSYS),
        (0x15, 0, len(LOCAL_FAMILIES) + 2, socket_call),
        load_family,
        *((0x15, len(LOCAL_FAMILIES) - place, 0, family) for place, family in enumerate(LOCAL_FAMILIES)),
        (0x06, 0, 0, REFUSE | errno.EACCES),
        (0x06, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer)))
    _check(_libc().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0))


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
