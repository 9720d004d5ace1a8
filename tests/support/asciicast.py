"""A strict reader of asciicast v2 files, as the format's page has it: https://docs.asciinema.org/manual/asciicast/v2/"""

import json
import re
from dataclasses import dataclass
from typing import Any


@dataclass
class Cast:
    """A file that is valid in every line."""

    header: dict[str, Any]
    events: list[tuple[float, str, str]]

    def text(self, kind: str = "o") -> str:
        """The data of all events of a kind."""
        return "".join(data for _, found, data in self.events if found == kind)

    def of(self, kind: str) -> list[str]:
        """The data of each event of a kind."""
        return [data for _, found, data in self.events if found == kind]


def parse_cast(content: bytes) -> Cast:
    """The recording; fails where a line is not as the format wants it."""
    assert content.endswith(b"\n")
    first, *lines = content.decode("utf-8").split("\n")[:-1]
    header = json.loads(first)
    assert header["version"] == 2
    assert isinstance(header["width"], int)
    assert isinstance(header["height"], int)
    assert isinstance(header["timestamp"], int)
    assert all(isinstance(value, str) for value in header.get("env", {}).values())
    return Cast(header, [_event(json.loads(line)) for line in lines])


def _event(found: Any) -> tuple[float, str, str]:
    time, kind, data = found
    assert isinstance(time, int | float)
    assert time >= 0
    assert kind in ("o", "i", "m", "r")
    assert isinstance(data, str)
    assert kind != "r" or re.fullmatch(r"[0-9]+x[0-9]+", data)
    return time, kind, data
