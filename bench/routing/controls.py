"""What the estimate has to beat."""

import re

import numpy as np

from scripts.router.boosting import Array
from scripts.router.rows import Row

_CODE = re.compile(r"```|\bdef \w|\bclass \w|[{};]\s*$", re.MULTILINE)
_DEMANDING = re.compile(r"\b(?:explain|analy[sz]e|implement)\b", re.IGNORECASE)


def length(rows: list[Row]) -> Array:
    """The number of characters."""
    return np.array([float(len(row.prompt)) for row in rows])


def keywords(rows: list[Row]) -> Array:
    """0 for at most five words, 2 for code marks, a demanding verb or more than fifty words, else 1."""
    return np.array([_level(row.prompt) for row in rows])


def _level(prompt: str) -> float:
    words = len(prompt.split())
    if words <= 5:
        return 0.0
    return 2.0 if words > 50 or _CODE.search(prompt) or _DEMANDING.search(prompt) else 1.0
