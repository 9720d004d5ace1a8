"""A second model looks over an answer, and where the two contradict each other a third decides."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shared.domain.chat import ChatRequest
from shared.domain.models import Model
from shared.errors import GatewayError
from shared.providers.embedded import MODEL as EMBEDDED
from shared.routing.answers import Answer
from shared.routing.checks import review
from shared.routing.checks.evidence import shortcoming
from shared.routing.checks.review import Review
from shared.routing.executor import Executor
from shared.routing.job import Job, Purpose


async def cross_checked(executor: Executor, job: Job, answer: Answer, judges: Sequence[Model]) -> Answer:
    """The answer, or a better one, with what the check found in `route.notes["crossCheck"]`. `judges` are the models that
    may look at it.

    The verdict is `confirmed`, `corrected` (the reviewer's answer took its place), `upheld` (the arbitrator was for the
    first), `disputed` (nobody could decide), `unclear` or `not_checked`. A check that fails never loses the answer.
    """
    return await _Check(executor, job, answer, "review", judges).run(_others(judges, [answer.route.model]))


async def self_checked(executor: Executor, job: Job, answer: Answer) -> Answer:
    """The same by the model that gave the answer, in `route.notes["selfCheck"]`; nobody decides a conflict."""
    return await _Check(executor, job, answer, "self-check", ()).run([answer.route.model])


class _Check:
    def __init__(self, executor: Executor, job: Job, answer: Answer, purpose: Purpose, judges: Sequence[Model]) -> None:
        self._executor = executor
        self._job = job
        self._answer = answer
        self._purpose = purpose
        self._judges = judges
        self._models = {"answered": answer.route.model.id}
        self._spent_before = job.tab.spent

    async def run(self, reviewers: Sequence[Model]) -> Answer:
        text = review.text_of(self._answer.payload)
        if not text or len(self._answer.payload["choices"]) > 1:
            return self._noted("not_checked", "only an answer that is one text can be checked")
        if not reviewers:
            return self._noted("not_checked", "no second model is available for it")
        reviewed = await self._asked(review.review_request(self._job.request, text), reviewers, self._purpose)
        if reviewed is None:
            return self._noted("not_checked", "the reviewing models failed")
        self._models["reviewed"] = reviewed.route.model.id
        return await self._judged(review.read_review(reviewed.payload), reviewed.route.model)

    async def _judged(self, found: Review, reviewer: Model) -> Answer:
        if found.verdict == "unclear":
            return self._noted("unclear", "the reviewing model gave no verdict")
        if found.verdict == "correct":
            return self._noted("confirmed")
        if self._purpose == "self-check" or not found.corrected:
            return self._noted("disputed", issues=found.issues)
        better = await self._arbitrated(found.corrected, reviewer)
        if better == "second":
            corrected = self._corrected(found.corrected, reviewer)
            if shortcoming(self._job.request, corrected.payload) is None:
                return self._noted("corrected", issues=found.issues, answer=corrected)
            return self._noted(
                "disputed", "the correction does not keep to the form that was asked for", issues=found.issues
            )
        return self._noted("upheld" if better == "first" else "disputed", issues=found.issues)

    async def _arbitrated(self, corrected: str, reviewer: Model) -> str | None:
        """Which answer is better, by a third model; None when there is none, or it cannot say."""
        arbitrators = sorted(
            _others(self._judges, [self._answer.route.model, reviewer]), key=lambda model: model.layer, reverse=True
        )
        request = review.choice_request(self._job.request, review.text_of(self._answer.payload), corrected)
        decided = await self._asked(request, arbitrators, "arbitration") if arbitrators else None
        if decided is None:
            return None
        self._models["arbitrated"] = decided.route.model.id
        return review.read_choice(decided.payload)

    async def _asked(self, request: ChatRequest, models: Sequence[Model], purpose: Purpose) -> Answer | None:
        """An answer to a question of ours; None when nobody gave one."""
        job = replace(self._job, request=request, models=tuple(models), purpose=purpose, hedged=False)
        try:
            return await self._executor.complete(job)
        except GatewayError:
            return None

    def _corrected(self, text: str, reviewer: Model) -> Answer:
        """The reviewer's answer in the place of the first."""
        first = self._answer.payload["choices"][0]
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        payload = {**self._answer.payload, "model": reviewer.api_model_name, "choices": [{**first, **choice}]}
        return replace(self._answer, payload=payload, route=replace(self._answer.route, model=reviewer))

    def _noted(
        self, verdict: str, reason: str = "", *, issues: Sequence[str] = (), answer: Answer | None = None
    ) -> Answer:
        answer = answer or self._answer
        note: dict[str, Any] = {
            "verdict": verdict,
            "models": self._models,
            "addedCostUsd": float(self._job.tab.spent - self._spent_before),
        }
        if issues:
            note["issues"] = [*issues]
        if reason:
            note["reason"] = reason
        answer.route.notes["crossCheck" if self._purpose == "review" else "selfCheck"] = note
        return answer


def _others(models: Sequence[Model], used: Sequence[Model]) -> list[Model]:
    """Models that have had no part yet, those of other providers first: they fail in other ways.

    The embedded model is not among them: it is too small to judge anything.
    """
    names = {EMBEDDED.name, *(model.api_model_name for model in used)}
    providers = {model.provider for model in used}
    left = (model for model in models if model.api_model_name not in names)
    return sorted(left, key=lambda model: model.provider in providers)
