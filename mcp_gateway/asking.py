"""Asking the person behind the client for leave, in either era of the protocol."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from mcp import MCPError
from mcp.types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp_types.version import is_version_at_least
from pydantic import ValidationError

from mcp_gateway.identity import Context

log = logging.getLogger(__name__)

BY_RESULT = "2026-07-28"
"""From this revision on a call ends with its question, and comes again with the answer."""

LEAST_LEFT = 50.0
"""Seconds that a call has at least for what it was asked leave for."""
KEY = "leave"
ANSWER = "answer"
"""Names the fields of a form for the prompts of a login, each with its number."""
FORM = {
    "type": "object",
    "properties": {"agree": {"type": "boolean", "title": "Agree", "default": False}},
    "required": ["agree"],
}

Leave = Literal["given", "refused", "not asked"]
"""What a user said; whoever says nothing, or nothing clear, has refused."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier round of this call left with the client, and what the user said to its question.

    The client may have changed it: it must give no more than the client could ask for itself. `answers` are those to the
    prompts of a login, None where the user gave none.
    """

    state: str
    leave: Leave
    answers: list[str] | None


class User:
    """The person behind one call, whose `limit` stands still while they think."""

    def __init__(self, context: Context, params: CallToolRequestParams, limit: asyncio.Timeout | None = None) -> None:
        self._context = context
        self._params = params
        self._limit = limit

    @property
    def earlier(self) -> Earlier | None:
        """The round before; None in the first."""
        if self._params.request_state is None:
            return None
        said = (self._params.input_responses or {}).get(KEY)
        return Earlier(self._params.request_state, _leave(said), _answers(said))

    async def leave(self, question: str, *, state: str, seconds: float) -> Leave | InputRequiredResult:
        """What the user says within that time; or what to end the call with, so that it comes again with `state` and
        the answer.
        """
        said = await self._form(question, FORM, state=state, seconds=seconds)
        return said if isinstance(said, InputRequiredResult | str) else _leave(said)

    async def answers(
        self, question: str, prompts: Sequence[str], *, state: str, seconds: float
    ) -> list[str] | Literal["refused", "not asked"] | InputRequiredResult:
        """What the user answers to each prompt within that time, or as `leave`."""
        fields = {f"{ANSWER}{number}": {"type": "string", "title": title} for number, title in enumerate(prompts)}
        form = {"type": "object", "properties": fields, "required": list(fields)}
        said = await self._form(question, form, state=state, seconds=seconds)
        if isinstance(said, InputRequiredResult | str):
            return said
        return _answers(said) or "refused"

    async def _form(
        self, question: str, form: dict[str, Any], *, state: str, seconds: float
    ) -> ElicitResult | Literal["refused", "not asked"] | InputRequiredResult:
        if not self.can_be_asked:
            return "not asked"
        if self._ends_with_questions:
            params = ElicitRequestFormParams(message=question, requested_schema=form)
            return InputRequiredResult(input_requests={KEY: ElicitRequest(params=params)}, request_state=state)
        session = self._context.session
        try:
            with self._thinking():
                async with asyncio.timeout(seconds):
                    return await session.elicit_form(question, form, related_request_id=self._context.request_id)
        except TimeoutError:
            return "refused"
        except (MCPError, ValidationError) as error:
            log.warning("the user could not be asked: %r", error)
            return "not asked"

    @contextmanager
    def _thinking(self) -> Iterator[None]:
        """What the call has left before, it has left afterwards."""
        limit, loop = self._limit, asyncio.get_running_loop()
        due = None if limit is None else limit.when()
        if limit is None or due is None:
            yield
            return
        left = due - loop.time()
        limit.reschedule(None)
        try:
            yield
        finally:
            limit.reschedule(loop.time() + max(left, LEAST_LEFT))

    @property
    def _ends_with_questions(self) -> bool:
        return is_version_at_least(self._context.protocol_version, BY_RESULT)

    @property
    def can_be_asked(self) -> bool:
        """Whether the client shows forms; one that names no mode does."""
        session = self._context.session
        able = session.client_capabilities.elicitation if session.client_capabilities else None
        shows_forms = able is not None and (able.form is not None or able.url is None)
        return shows_forms and (self._ends_with_questions or session.can_send_request)


def _answers(answer: object) -> list[str] | None:
    """Those to the prompts of a login, in their order."""
    if not isinstance(answer, ElicitResult) or answer.action != "accept":
        return None
    content = answer.content or {}
    found = [content.get(f"{ANSWER}{number}") for number in range(len(content))]
    return [str(text) for text in found if text is not None] or None


def _leave(answer: object) -> Leave:
    if not isinstance(answer, ElicitResult) or answer.action != "accept":
        return "refused"
    return "given" if (answer.content or {}).get("agree") is True else "refused"
