"""The audit trail's entry of a chat: who asked which model and what it cost, with digests in place of the texts."""

import hashlib
import json
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from shared.domain.audit import CHAT
from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.trace import current_id
from shared.errors import GatewayError
from shared.routing.answers import Answer, EventStream, Route
from shared.security.causes import Cause

if TYPE_CHECKING:
    from shared.gateway import Gateway

MOST_CALLS = 50


class ChatEntry:
    """A block in which a chat is answered; its end notes the chat, which neither waits nor fails.

    `whole` or `stream` is set to the answer. A chat whose reader left before its end has the outcome `cancelled`.
    """

    __slots__ = ("_caller", "_gateway", "_request", "stream", "whole")

    def __init__(self, gateway: "Gateway", caller: Caller, request: ChatRequest) -> None:
        self.whole: Answer | None = None
        self.stream: EventStream | None = None
        self._gateway = gateway
        self._caller = caller
        self._request = request

    def __enter__(self) -> "ChatEntry":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        audit = self._gateway.audit
        if not audit.chats:
            return
        answer = self.whole or self.stream
        route = None if answer is None else answer.route
        caller, trace_id = self._caller, current_id()
        calls = [] if route is None else self._tool_calls(route)
        cause = self._cause(trace_id)
        audit.note(
            caller,
            CHAT,
            self._outcome(error),
            details=partial(_details, self._request, self.whole, route, calls),
            trace_id=trace_id,
            cause=cause,
        )
        if trace_id:
            audit.causes.remember("trace", caller, trace_id)
        if session := self._request.options.session:
            audit.causes.remember("session", caller, session)
        for call in calls:
            audit.causes.remember("toolCall", caller, call)

    def _outcome(self, error: BaseException | None) -> str:
        if isinstance(error, GatewayError):
            return error.code
        told = self.whole is not None or (self.stream is not None and self.stream.usage is not None)
        return "ok" if told else "cancelled" if error is None or not isinstance(error, Exception) else "failed"

    def _tool_calls(self, route: Route) -> list[str]:
        """The ids of the tool calls that the model made."""
        if self.whole is None:
            return route.tool_calls[:MOST_CALLS]
        return [
            call["id"]
            for choice in self.whole.payload.get("choices") or ()
            for call in (choice.get("message") or {}).get("tool_calls") or ()
            if isinstance(call, dict) and isinstance(call.get("id"), str)
        ][:MOST_CALLS]

    def _cause(self, trace_id: str) -> Cause | None:
        """The chat that this one goes on from: the one whose tool call its last message answers, or one of its trace."""
        last, causes = self._request.payload["messages"][-1], self._gateway.audit.causes
        answered = last.get("tool_call_id") if last["role"] == "tool" else None
        found = causes.find("toolCall", self._caller, answered) if isinstance(answered, str) else None
        return found or causes.find("trace", self._caller, trace_id)


def _details(request: ChatRequest, whole: Answer | None, route: Route | None, calls: list[str]) -> dict[str, Any]:
    details: dict[str, Any] = {"asked": request.facts.model, "stream": request.stream}
    details["requestDigest"] = digest(request.payload)
    if whole is not None:
        details["answerDigest"] = digest(whole.payload.get("choices"))
    elif route is not None and (said := route.said.hexdigest()):
        details["answerDigest"] = said
    if route is not None:
        details |= {"model": route.model.id, "layer": route.model.layer}
        details["costUsd"] = None if route.cost is None else float(route.cost)
        if route.chat_id:
            details["chatId"] = route.chat_id
        if route.cache == "hit":
            details["cache"] = "hit"
    if calls:
        details["toolCalls"] = calls
    return details


def digest(value: Any) -> str:
    """SHA-256 of a value as compact JSON with sorted names, in hexadecimal."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # half a surrogate pair, or a number that JSON does not bound
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode("ascii")
    return hashlib.sha256(text).hexdigest()
