"""Recordings of terminal sessions: what callers are told of them."""

from typing import Literal

from shared.domain.wire import Timestamp, Wire

RecordingMode = Literal["off", "allowed", "always"]


class RecordingInfo(Wire):
    """One recording. `active` while its session goes on."""

    session_id: str
    owner: str
    title: str
    started_at: Timestamp
    bytes: int
    active: bool


class RecordingList(Wire):
    """Recordings, oldest first."""

    recordings: list[RecordingInfo]


class RecordingFile(Wire):
    """A recording as it is played: asciicast v2, a header and then an event on each line."""

    content: bytes


class RecordingDeleted(Wire):
    """The recording is gone."""

    success: Literal[True] = True
    session_id: str
