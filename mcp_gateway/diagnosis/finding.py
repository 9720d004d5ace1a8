"""What one look has found."""

from typing import Literal

from shared.domain.wire import Wire

Status = Literal["ok", "warn", "fail"]


class Finding(Wire):
    """How one thing is, in words, and what to do about it; `advice` is empty where nothing needs doing."""

    name: str
    status: Status
    text: str
    advice: str = ""
