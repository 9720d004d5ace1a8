"""Administrators at a session of another caller, as its owner sees them."""

from pydantic import Field

from shared.domain.wire import Timestamp, Wire


class WatcherInfo(Wire):
    """An administrator who has read or used the session."""

    name: str
    since: Timestamp
    last_seen: Timestamp
    watching: bool = Field(description="A live terminal is open just now.")
    took_over: bool = Field(description="Has typed into the session.")
