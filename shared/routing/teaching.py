"""What the course of one request teaches about its layers. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from shared.domain.models import Layer, Model
from shared.routing.answers import Answer
from shared.routing.checks.evidence import Shortcoming, shortcoming
from shared.routing.job import Job
from shared.routing.learning.rewards import Outcome


def lessons(job: Job, answer: Answer, *, first: Model, last: Model) -> Iterator[tuple[Layer, Outcome]]:
    """The outcome of each layer that had a part in a whole answer: `first` answered first, `last` after all escalation.

    A cross-check may have put the reviewer's text in the place of the last one's since; that says nothing of the reviewer.
    """
    notes = answer.route.notes
    if last.layer > first.layer and not _only_not_compared(notes):
        yield first.layer, Outcome(escalated=True, shortcoming=_cause(notes))
    checks = [notes.get(name, {}).get("verdict") for name in ("crossCheck", "selfCheck")]
    replaced = checks[0] == "corrected"
    found = None if replaced else shortcoming(job.request, answer.payload)
    yield (
        last.layer,
        Outcome(
            shortcoming=found,
            kept_form=found is None and not replaced and job.request.facts.needs_schema,
            agreed=_agreed(notes) if last.layer == first.layer else None,
            verdict=checks[0] or checks[1],
        ),
    )


def _cause(notes: Mapping[str, Any]) -> Shortcoming | None:
    """What the first answer showed that was escalated; None when it had failed a check."""
    reason = notes["escalation"]["steps"][0]["reason"]
    return next((known for known in get_args(Shortcoming) if known == reason), None)


def _only_not_compared(notes: Mapping[str, Any]) -> bool:
    """Whether an answer went up only because it could not be compared with another, which says nothing about it."""
    steps = notes.get("escalation", {}).get("steps", ())
    return bool(steps) and steps[0]["reason"] == "no_agreement" and notes["agreement"].get("unclear", False)


def _agreed(notes: Mapping[str, Any]) -> bool | None:
    note = notes.get("agreement", {})
    return None if note.get("unclear") else note.get("agreed")
