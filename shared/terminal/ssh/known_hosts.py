"""The gateway's own known_hosts file, in OpenSSH's form, so that ssh-keygen and ssh-keyscan work on it."""

import asyncio
import base64
import fcntl
import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import IO

from shared.errors import TerminalError


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public host key: its type and its bytes as they go over the wire."""

    type: str
    blob: bytes

    @classmethod
    def of(cls, type_: str, text: str) -> "HostKey":
        """The key that a line of the file has as text. Raises ValueError."""
        return cls(type_, base64.b64decode(text, validate=True))

    @property
    def text(self) -> str:
        """As the file has it."""
        return base64.b64encode(self.blob).decode()

    @property
    def fingerprint(self) -> str:
        """As ssh shows it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Known:
    """What the file says of one host."""

    keys: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()


class KnownHosts:
    """The file. Lines that are not understood (certificate authorities among them) are left alone and not used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def of(self, host: str, port: int) -> Known:
        """What is known of a host. Raises TerminalError."""
        try:
            return await asyncio.to_thread(self._of, entry_name(host, port))
        except OSError as error:
            raise _unusable("read", error) from error

    async def remember(self, host: str, port: int, key: HostKey) -> Known:
        """Add a key, unless the host has one by now; the answer is what was known before, empty when it was added.

        Raises TerminalError.
        """
        try:
            return await asyncio.to_thread(self._remember, entry_name(host, port), key)
        except OSError as error:
            raise _unusable("written", error) from error

    async def replace(self, host: str, port: int, key: HostKey, *, known: frozenset[str]) -> bool:
        """Put a key in the place of all others of the host; false where these are not those of the fingerprints `known`.

        Raises TerminalError.
        """
        try:
            return await asyncio.to_thread(self._replace, entry_name(host, port), key, known)
        except OSError as error:
            raise _unusable("written", error) from error

    def _of(self, name: str) -> Known:
        try:
            lines = self._path.read_text("utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return Known()
        found = [(marker, key) for marker, key in _entries(lines, name)]
        return Known(
            tuple(key for marker, key in found if not marker),
            tuple(key for marker, key in found if marker == "@revoked"),
        )

    def _remember(self, name: str, key: HostKey) -> Known:
        with self._locked() as file:
            before = self._of(name)
            if not before.keys:
                line = f"{name} {key.type} {key.text}\n".encode()
                file.write(line if _ends_whole(file.fileno()) else b"\n" + line)
            return before

    def _replace(self, name: str, key: HostKey, known: frozenset[str]) -> bool:
        with self._locked():
            before = self._of(name)
            if key in before.revoked or {old.fingerprint for old in before.keys} != known:
                return False
            lines = self._path.read_text("utf-8", errors="surrogateescape").splitlines()
            kept = [line for line in map(partial(_without, name), lines) if line is not None]
            text = "\n".join([*kept, f"{name} {key.type} {key.text}", ""])
            fresh = self._path.with_name(f"{self._path.name}.{token_hex(8)}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text.encode("utf-8", errors="surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
            return True

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        """The file, to append to, which nobody else changes meanwhile; made anew where another process replaced it."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            with os.fdopen(os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                try:
                    current = os.path.samestat(os.fstat(file.fileno()), self._path.stat())
                except FileNotFoundError:
                    current = False
                if current:
                    yield file
                    return


def _ends_whole(descriptor: int) -> bool:
    """Whether the file is empty or its last line is ended; one that an editor or a full disk left open is not."""
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _unusable(what: str, error: OSError) -> TerminalError:
    return TerminalError(
        f"The gateway's file of known SSH hosts cannot be {what}: {error.strerror or 'unknown reason'}; its operator "
        "makes room for known_hosts in the data directory, or lets the gateway use it, then open the session again.",
        code="known_hosts_unusable",
        operator_detail=str(error),
    )


def entry_name(host: str, port: int) -> str:
    """The name that the file has a host under."""
    host = host.lower()
    return host if port == 22 else f"[{host}]:{port}"


def _entries(lines: Iterable[str], name: str) -> Iterable[tuple[str, HostKey]]:
    for line in lines:
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or not _matches(fields[0], name):
            continue
        try:
            yield marker, HostKey.of(fields[1], fields[2])
        except ValueError:
            continue


def _without(name: str, line: str) -> str | None:
    """The line without this host, None where it is of no other; markers, comments and lines of others stay as they are."""
    fields = line.split()
    if len(fields) < 3 or fields[0].startswith(("#", "@")) or not _matches(fields[0], name):
        return line
    others = [pattern for pattern in fields[0].split(",") if pattern.lower() != name]
    if not others or fields[0].startswith("|1|"):
        return None
    patterns = ",".join(others)
    if _matches(patterns, name):  # by a wildcard
        patterns += f",!{name}"
    return line.replace(fields[0], patterns, 1)


def _matches(patterns: str, name: str) -> bool:
    """Whether a host field means this host: comma-separated patterns, `!` excludes, or one hashed name."""
    if patterns.startswith("|1|"):
        return _hash_matches(patterns, name)
    matched = False
    for pattern in patterns.lower().split(","):
        escaped = pattern.lstrip("!").replace("[", "[[]")
        if fnmatchcase(name, escaped):
            if pattern.startswith("!"):
                return False
            matched = True
    return matched


def _hash_matches(field: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in field[3:].split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
