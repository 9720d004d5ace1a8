"""What the outcome of an answer says about the layer that gave it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.routing.checks.evidence import Shortcoming

FEEDBACK = 3.0

OF_FORM: frozenset[Shortcoming] = frozenset({"invalid_json", "invalid_schema"})
"""Shortcomings of which the opposite is known too, as `kept_form`."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A reward from 0, bad, to 1, good, and how much it tells: 1 for an outcome that is known."""

    reward: float
    weight: float = 1.0


VERDICTS: Mapping[str, Lesson] = {
    "confirmed": Lesson(1.0),
    "upheld": Lesson(1.0),
    "corrected": Lesson(0.0),
    "disputed": Lesson(0.3, 0.5),
}
"""Other verdicts of a check say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one layer's answer.

    `ended` is `ok` or the code of the error. `kept_form`: a schema was asked for, and the answer keeps to it. `agreed`
    (with another model) is None when there was no other. An `escalated` answer without a shortcoming failed a check.
    """

    ended: str = "ok"
    shortcoming: Shortcoming | None = None
    kept_form: bool = False
    escalated: bool = False
    agreed: bool | None = None
    verdict: str | None = None


def lesson(outcome: Outcome) -> Lesson | None:
    """What to learn from an outcome; None unless the opposite result would have been known as well.

    Silence is not a reward: nobody looked at the answer. Errors and answers that were cut off, empty or refused have no
    counterpart but silence, so they follow where most requests come from (bench/routing/LEARNING.md).
    """
    if outcome.ended != "ok":
        return None
    judged = _judged(outcome)
    if outcome.shortcoming is not None:
        return Lesson(0.0) if judged or outcome.shortcoming in OF_FORM else None
    return Lesson(0.0) if outcome.escalated else judged


def _judged(outcome: Outcome) -> Lesson | None:
    if (judged := VERDICTS.get(outcome.verdict or "")) is not None:
        return judged
    if outcome.agreed is not None:
        return Lesson(float(outcome.agreed))
    return Lesson(1.0) if outcome.kept_form else None
