"""A file on its way between the gateway and a host, as listings of its session show it."""

from typing import Literal

from pydantic import Field

from shared.domain.wire import Wire

Direction = Literal["read", "write"]


class TransferInfo(Wire):
    """How far one file is."""

    path: str
    direction: Direction
    done_bytes: int
    total_bytes: int | None = Field(description="null until the host has told how long the file is.")
