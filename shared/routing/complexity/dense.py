"""The few features that are handed on, for what learns later from outcomes."""

from collections.abc import Mapping, Sequence

from shared.routing.complexity.features import NAMES

_FULL: Mapping[str, float] = {
    "log_length": 8.1, "log_tokens": 6.4, "log_lines": 4.0, "word_length": 10.0, "long_words": 1.0,
    "log_numbers": 4.0, "numbers": 1.0, "log_sentences": 4.0, "ends_asking": 1.0, "options": 2.0, "bullets": 3.0,
    "indented": 4.0, "identifiers": 3.0, "formulas": 3.0, "fenced": 1.0, "no_spaces_script": 1.0, "cyrillic": 1.0,
    "other_script": 1.0, "accented": 1.0, "share_asks_fact": 0.5, "share_asks_why": 0.5, "has_asks_proof": 2.0,
    "has_asks_design": 2.0, "has_asks_analysis": 2.0, "has_asks_text": 2.0, "has_code": 3.0, "has_systems": 2.5,
    "has_maths": 3.0, "has_conditions": 3.0, "has_amounts": 3.0,
}  # fmt: skip
"""The lexical features that are kept, each with the value that becomes 1."""

_PLACES = tuple((NAMES.index(name), full) for name, full in _FULL.items())

DENSE = ("score", "familiar", *_FULL)
"""The names of the dense features, in order."""


def dense(score: float, familiar: float, lexical: Sequence[float]) -> tuple[float, ...]:
    """The vector, each value in [0, 1]."""
    return (score, familiar, *(min(1.0, lexical[place] / full) for place, full in _PLACES))
