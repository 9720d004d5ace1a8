"""What the course of one request teaches about its layers. Pure."""

from collections.abc import Iterator, Mapping

from shared.domain.models import Layer, Model
from shared.routing.answers import Answer
from shared.routing.checks.evidence import Shortcoming, shortcoming
from shared.routing.job import Job
from shared.routing.learning.rewards import NOT_ABLE, Outcome

STREAM_ENDS: Mapping[str, Shortcoming] = {"length": "truncated", "content_filter": "refused"}


def lessons(job: Job, answer: Answer, *, first: Model, last: Model) -> Iterator[tuple[Layer, Outcome]]:
    """The outcome of each layer that had a part in a whole answer: `first` answered first, `last` after all escalation.

    A cross-check may have put the reviewer's text in the place of the last one's since; that says nothing of the reviewer.
    """
    for call in job.tab.calls:
        if call.purpose == "answer" and call.outcome in NOT_ABLE:
            yield call.model.layer, Outcome(ended=call.outcome)
    notes = answer.route.notes
    if last.layer > first.layer:
        yield first.layer, Outcome(escalated=True)
    checks = [notes.get(name, {}).get("verdict") for name in ("crossCheck", "selfCheck")]
    replaced = checks[0] == "corrected"
    found = None if replaced else shortcoming(job.request, answer.payload)
    yield (
        last.layer,
        Outcome(
            shortcoming=found,
            kept_form=found is None and not replaced and job.request.facts.needs_schema,
            agreed=notes.get("agreement", {}).get("agreed") if last.layer == first.layer else None,
            verdict=checks[0] or checks[1],
        ),
    )


def lesson_of_stream(job: Job, outcome: str, finish_reason: str | None) -> Outcome:
    """The outcome of a stream that had begun."""
    limited = job.request.facts.max_tokens is not None and finish_reason == "length"
    found = None if limited else STREAM_ENDS.get(finish_reason or "")
    return Outcome(ended=outcome, committed=True, shortcoming=found)
