"""What the outcome of an answer says about the layer that gave it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.routing.checks.evidence import Shortcoming

SILENT = 0.05
"""What an answer that nobody checked tells: next to nothing. Counted in full, it drowns what is known (measured)."""

FEEDBACK = 3.0

NOT_ABLE = frozenset({"provider_bad_answer", "content_refused"})
BROKEN_OFF = frozenset({"provider_failed", "provider_timeout"})


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

    `ended` is `ok` or the code of the error; `committed` says that content had gone to the caller by then. `kept_form`:
    a schema was asked for, and the answer keeps to it. `agreed` (with another model) is None when there was no other.
    """

    ended: str = "ok"
    committed: bool = False
    shortcoming: Shortcoming | None = None
    kept_form: bool = False
    escalated: bool = False
    agreed: bool | None = None
    verdict: str | None = None


def lesson(outcome: Outcome) -> Lesson | None:
    """What to learn from an outcome; None for nothing.

    Limits, overload, faults of networks, accounts and callers say nothing about what a model is able to do.
    """
    if outcome.ended != "ok":
        bad = outcome.ended in NOT_ABLE or (outcome.committed and outcome.ended in BROKEN_OFF)
        return Lesson(0.0) if bad else None
    if outcome.escalated:
        return Lesson(0.0)
    if outcome.shortcoming is not None:
        return Lesson(0.3 if outcome.shortcoming == "truncated" else 0.0)
    if (judged := VERDICTS.get(outcome.verdict or "")) is not None:
        return judged
    if outcome.agreed is not None:
        return Lesson(float(outcome.agreed))
    return Lesson(1.0) if outcome.kept_form else Lesson(1.0, SILENT)
