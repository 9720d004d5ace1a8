"""What the estimate says of rows that it was not trained on, held out in several ways."""

from zlib import crc32

import numpy as np

from scripts.router.boosting import Array
from scripts.router.rows import Row
from scripts.router.training import Matrix, fit, held_out, odds_of

PARTS = 5
SUBJECT_PARTS = 10


def rows_out(rows: list[Row], data: Matrix) -> Array:
    """A fifth of the prompts at a time is held out: the kinds are known, the prompts are not."""
    return held_out(data, np.array([crc32(row.prompt.encode()) % PARTS for row in rows]))


def kinds_out(rows: list[Row], data: Matrix) -> Array:
    """One whole kind of task at a time is held out, under every source that has it."""
    return _out(data, [row.kind for row in rows])


def subjects_out(rows: list[Row], data: Matrix) -> Array:
    """A tenth of the MMLU subjects at a time is held out whole; 0 for other rows."""
    measured = [row.source == "pairs" and row.kind == "mmlu" for row in rows]
    parts = [str(crc32(row.group.encode()) % SUBJECT_PARTS) for row in rows]
    return _out(data, [part if chosen else "" for part, chosen in zip(parts, measured, strict=True)])


def languages_out(rows: list[Row], data: Matrix) -> Array:
    """One language other than English at a time is held out; 0 for English rows."""
    return _out(data, ["" if row.language == "en" else row.language for row in rows])


def _out(data: Matrix, labels: list[str]) -> Array:
    named = np.array(labels)
    odds = np.zeros(len(labels))
    for label in sorted(set(labels) - {""}):
        out = named == label
        odds[out] = odds_of(fit(data.part(~out)), data.part(out))
    return odds
