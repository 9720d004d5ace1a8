"""What the last run of each benchmark came to, in one file: results.md and the chart are made from it."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("figures.json")

Section = Mapping[str, Any]
Figures = Mapping[str, Section]
"""By benchmark (chats, growth, scaling, soak, peers), each with its numbers and `taken`, its circumstances."""


def kept(path: Path = FILE) -> Figures:
    """All of them; none where there is no file."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def keep(section: str, numbers: Section, path: Path = FILE) -> Figures:
    """Put one benchmark's numbers in the place of its last ones; all of them."""
    found = {**kept(path), section: {**numbers, "taken": taken()}}
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    return found


def taken() -> str:
    """When, and how busy the machine was."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, {os.cpu_count()} cores, Python {platform.python_version()}, load average {load}"
