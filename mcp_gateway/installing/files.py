"""Replacing somebody's configuration file: as a whole or not at all, with its mode kept and a copy of what it was."""

import glob
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from shared.errors import Conflict

PRIVATE = 0o600
"""A configuration of servers may hold their keys."""


def read(path: Path) -> str:
    """The text, as it stands with its line ends; empty where there is no file. Raises OSError and UnicodeDecodeError."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""


def replace(path: Path, before: str, after: str) -> Path | None:
    """Write it; returns where a copy of the old one is, None where there was none. Without a text the file is deleted.

    A file that a symbolic link names is replaced where it is. Raises OSError, and Conflict when somebody else has changed it meanwhile.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    there = path.exists()
    mode = path.stat().st_mode & 0o7777 if there else PRIVATE
    if read(path) != before:
        raise Conflict(f"{path} was changed by another program just now; run this again.")
    copy = _copied(path, before, mode) if there else None
    if not after:
        path.unlink(missing_ok=True)
        return copy
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return copy


def _copied(path: Path, text: str, mode: int) -> Path:
    """An earlier copy that says the same will do: installing and uninstalling in turn leaves no trail of them."""
    wanted = text.encode("utf-8")
    for earlier in path.parent.glob(f"{glob.escape(path.name)}.*.backup"):
        if earlier.is_file() and earlier.stat().st_size == len(wanted) and earlier.read_bytes() == wanted:
            return earlier
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    copy = path.with_name(f"{path.name}.{stamp}.backup")
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(wanted)
    return copy
