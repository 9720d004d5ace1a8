"""The processes of one gateway."""

from dataclasses import dataclass

TAG_LENGTH = 8
UNIX = "unix:"
"""What an address begins with that is a socket file, which only one process has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One process: its id, and where the others reach it (`unix:/path`, or the base URL of another machine's)."""

    id: str
    address: str


def tag_of(session_id: str) -> str:
    """The id of the node that made a session: `term-<milliseconds>-<node><random>`. Any text is taken."""
    return session_id.rpartition("-")[2][:TAG_LENGTH]
