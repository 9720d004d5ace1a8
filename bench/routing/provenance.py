"""Which rows the weights were trained on: ids, origin and licence, and nothing of their text."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from scripts.router.rows import SOURCES, Row, load

FILE = Path(__file__).with_name("provenance.json")

ORIGINS = {
    "pairs": ("lm-sys/RouteLLM", "Apache-2.0"),
    "models": ("ulab-uiuc/LLMRouter", "MIT"),
    "tiers": ("CommonstackAI/UncommonRoute", "MIT"),
}


def provenance(folder: Path) -> str:
    """The record as JSON: the ids of each source as ranges of numbers under their prefix."""
    rows = load(folder)
    record = {source: _of(source, [row for row in rows if row.source == source]) for source in SOURCES}
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _of(source: str, rows: list[Row]) -> dict[str, object]:
    origin, licence = ORIGINS[source]
    content = hashlib.sha256(json.dumps([(row.id, row.prompt) for row in rows]).encode()).hexdigest()
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        prefix, _, number = row.id.rpartition("-")
        numbers[prefix].append(int(number))
    ids = {prefix: ranges(found) for prefix, found in sorted(numbers.items())}
    return {"origin": origin, "licence": licence, "rows": len(rows), "sha256": content, "ids": ids}


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers as `1-3 7 9-10`."""
    runs = [list(run) for _, run in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])]
    return " ".join(f"{run[0][1]}-{run[-1][1]}" if len(run) > 1 else f"{run[0][1]}" for run in runs)
