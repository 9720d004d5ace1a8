"""All recordings of terminal sessions: a folder of files, whose they are, and how long they are kept."""

import asyncio
import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from shared.domain.recordings import RecordingInfo, RecordingMode
from shared.domain.targets import LocalTarget, SshTarget, Target
from shared.errors import Forbidden, NotFound, TerminalError
from shared.security.redaction import Redactor
from shared.terminal.channel import Channel, Seat
from shared.terminal.recording import CastFile, Recorder
from shared.terminal.recording_channel import RecordedChannel

MAX_BYTES = 50 * 1024 * 1024
MAX_TOTAL_BYTES = 2 * 1024 * 1024 * 1024
LONGEST_HEADER = 4096
_SESSION_ID = re.compile(r"term-[0-9]{1,20}-[0-9a-f]{32}")
_SUFFIX = ".cast"


@dataclass(frozen=True, slots=True)
class _Stored:
    """A recording on disk; `changed` is the time of its last write."""

    path: Path
    owner: str
    size: int
    changed: float


class Recordings:
    """The recordings in one folder. `secrets` are values that none of them may show; 0 `days` keeps them for ever.

    A new one makes room for itself within `max_total_bytes` by deleting finished ones: the oldest of the owner who has most.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], datetime],
        *,
        mode: RecordingMode = "allowed",
        max_bytes: int = MAX_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        days: int = 30,
        secrets: Iterable[str] = (),
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._mode = mode
        self._max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._days = days
        self._secrets = tuple(secrets)
        self._active: dict[str, Recorder] = {}

    def wanted(self, asked: bool) -> bool:
        """Whether a session is to be recorded whose opener asks for it, or does not. Raises Forbidden."""
        if asked and self._mode == "off":
            raise Forbidden(
                "Sessions are not recorded here; leave out 'record', or set TERMINAL_RECORDING to 'allowed'.",
                code="recording_off",
            )
        return asked or self._mode == "always"

    async def record(self, channel: Channel, seat: Seat, *, session_id: str, owner: str, target: Target) -> Channel:
        """The channel, recorded from now on. Raises TerminalError, with the channel closed."""
        redactor = Redactor((*self._secrets, *_secrets_of(target)))
        header = self._header(seat, owner, target)
        try:
            cast = await asyncio.to_thread(self._create, session_id, header, redactor.text)
        except BaseException as error:
            await asyncio.shield(asyncio.ensure_future(channel.aclose()))
            if isinstance(error, OSError):
                raise TerminalError(
                    "The recording cannot be written; free some space, or open the session without 'record'.",
                    code="recording_failed",
                    operator_detail=error.strerror or "",
                ) from error
            raise
        recorder = self._active[session_id] = Recorder(cast)
        return RecordedChannel(channel, seat, recorder, ended=lambda: self._active.pop(session_id, None))

    async def read(self, owner: str | None, session_id: str) -> bytes:
        """A recording up to now, in whole lines; of that owner, or anybody's for None. Raises NotFound."""
        if (recorder := self._active.get(session_id)) is not None:
            await recorder.flush()
        return await asyncio.to_thread(self._read, owner, session_id)

    async def list(self, owner: str | None) -> list[RecordingInfo]:
        """The recordings of that owner, or all for None, oldest first."""
        found = await asyncio.to_thread(lambda: list(self._infos(owner)))
        return sorted(found, key=lambda info: (info.started_at, info.session_id))

    async def delete(self, owner: str | None, session_id: str) -> None:
        """Delete one, and end it if its session goes on. Raises NotFound."""
        await asyncio.to_thread(self._delete, owner, session_id)
        if (recorder := self._active.get(session_id)) is not None:
            await recorder.aclose()

    async def prune(self) -> None:
        """Delete those that are older than they may be."""
        if self._days:
            await asyncio.to_thread(self._prune, (self._clock() - timedelta(days=self._days)).timestamp())

    def _create(self, session_id: str, header: dict[str, Any], redact: Callable[[str], str]) -> CastFile:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._make_room(self._max_bytes)
        return CastFile(self._path(session_id), header, max_bytes=self._max_bytes, redact=redact)

    def _header(self, seat: Seat, owner: str, target: Target) -> dict[str, Any]:
        return {
            "width": seat.cols,
            "height": seat.rows,
            "timestamp": int(self._clock().timestamp()),
            "title": _title(target),
            "env": {"TERM": "xterm-256color"},
            "owner": owner,
        }

    def _path(self, session_id: str) -> Path:
        """Where it is. Raises NotFound for what no session is called, so that no other file is ever meant."""
        if not _SESSION_ID.fullmatch(session_id):
            raise _unknown()
        return self._folder / f"{session_id}{_SUFFIX}"

    def _read(self, owner: str | None, session_id: str) -> bytes:
        path = self._path(session_id)
        self._check(owner, path)
        try:
            return path.read_bytes().rpartition(b"\n")[0] + b"\n"
        except FileNotFoundError:
            raise _unknown() from None

    def _delete(self, owner: str | None, session_id: str) -> None:
        path = self._path(session_id)
        self._check(owner, path)
        path.unlink(missing_ok=True)

    def _check(self, owner: str | None, path: Path) -> None:
        header = _header_of(path)
        if header is None or owner not in (None, header["owner"]):
            raise _unknown()

    def _make_room(self, wanted: int) -> None:
        """Delete finished recordings until so many bytes fit. Raises TerminalError when that is not enough."""
        kept = sorted(self._stored(), key=lambda stored: stored.changed)
        held: Counter[str] = Counter()
        for stored in kept:
            held[stored.owner] += stored.size
        while held.total() + wanted > self._max_total_bytes:
            finished = [stored for stored in kept if not _is_written(stored.path)]
            if not finished:
                raise _full()
            most = max((stored.owner for stored in finished), key=lambda owner: held[owner])
            oldest = next(stored for stored in finished if stored.owner == most)
            oldest.path.unlink(missing_ok=True)
            held[most] -= oldest.size
            kept.remove(oldest)

    def _stored(self) -> Iterator[_Stored]:
        for path in self._paths():
            header = _header_of(path)
            if header is not None:
                found = path.stat()
                yield _Stored(path, str(header["owner"]), found.st_size, found.st_mtime)

    def _prune(self, before: float) -> None:
        for path in self._paths():
            if path.stem not in self._active and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)

    def _infos(self, owner: str | None) -> Iterator[RecordingInfo]:
        for path in self._paths():
            header = _header_of(path)
            if header is not None and owner in (None, header["owner"]):
                yield RecordingInfo(
                    session_id=path.stem,
                    owner=header["owner"],
                    title=header["title"],
                    started_at=datetime.fromtimestamp(header["timestamp"], UTC),
                    bytes=path.stat().st_size,
                    active=path.stem in self._active,
                )

    def _paths(self) -> Iterator[Path]:
        return (path for path in self._folder.glob(f"*{_SUFFIX}") if _SESSION_ID.fullmatch(path.stem))


def _header_of(path: Path) -> dict[str, Any] | None:
    """The header; None for what is no recording, or none of ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        line = file.readline(LONGEST_HEADER)
    try:
        header = json.loads(line)
    except ValueError:
        return None
    return header if isinstance(header, dict) and {"owner", "title", "timestamp"} <= header.keys() else None


def _is_written(path: Path) -> bool:
    """Whether some process of the gateway still writes it."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _title(target: Target) -> str:
    if isinstance(target, LocalTarget):
        return f"local {target.shell or ''}".strip()
    if isinstance(target, SshTarget):
        return f"ssh {target.login.username}@{target.login.host}:{target.login.port}"
    return f"telnet {target.host}:{target.port}"


def _secrets_of(target: Target) -> Iterator[str]:
    """What was given to log in; a key by its lines, since a terminal shows it in lines."""
    logins = [target.login, *target.jumps] if isinstance(target, SshTarget) else []
    for login in logins:
        for secret in (login.password, login.private_key, login.passphrase):
            if isinstance(secret, SecretStr):
                yield from secret.get_secret_value().splitlines()


def _full() -> TerminalError:
    return TerminalError(
        "Recordings of open sessions take up all the space that recordings may have (TERMINAL_RECORDING_TOTAL_BYTES); "
        "close one, or open the session without 'record'.",
        code="recordings_full",
    )


def _unknown() -> NotFound:
    return NotFound(
        "There is no such recording; the session was opened without 'record', or it is too old.",
        code="recording_not_found",
    )
