"""The directories that a command may be in, as policies compare them. Pure but for the home of the gateway's user."""

import os
from collections.abc import Iterable

from shared.domain.targets import LocalTarget, SshTarget, Target
from shared.terminal.policy.words import ANY, MARKS

MOST = 64
"""Directories of one line; one that goes through more may be anywhere."""


def home_of(target: Target) -> str:
    """The home directory on the target; `~` where only the target knows it."""
    return target.env.get("HOME") or os.path.expanduser("~") if isinstance(target, LocalTarget) else "~"


def first(target: Target) -> str | None:
    """The directory that a session on the target begins in; None where there is no such thing."""
    return within(target.cwd, "~", home_of(target)) if isinstance(target, LocalTarget | SshTarget) else None


def within(path: str | None, base: str, home: str) -> str:
    """The directory that is meant: `~` is home, and a relative path starts at `base`."""
    whole = base if not path else path if path[0] in "/~" or not base else f"{base.rstrip('/')}/{path}"
    if whole == "~" or whole.startswith("~/"):
        whole = home + whole[1:]
    return os.path.normpath(whole) if whole.startswith("/") else whole


def named(directory: str | None, home: str) -> tuple[str, ...]:
    """Every name of a directory that a rule may use; one that is not known may be any."""
    if not directory:
        return (ANY,)
    inside = directory == home or directory.startswith(f"{home.rstrip('/')}/")
    return (directory, "~" + directory[len(home.rstrip("/")) :]) if inside and home != "~" else (directory,)


def bases(directories: Iterable[str], home: str) -> tuple[str, ...]:
    """Those that a line goes through, each relative one taken from all before it, by every name that they have."""
    found: list[str] = []
    for directory in directories:
        if directory[:1] in ("/", "~") or not found:
            steps = [directory]
        else:
            bare = [directory] if directory[:1] in MARKS else []  # which may turn out to be a whole path
            steps = bare + [f"{base.rstrip('/')}/{directory}" for base in found]
        for step in steps:
            whole = within(step, "", home)
            found += [step, *named(whole, home)]
        found = list(dict.fromkeys(found))
        if len(found) > MOST:
            return ANY, *found[:MOST]
    return tuple(found)
