"""An OpenAI-compatible provider's answers, whole or streamed. Pure: fed with bytes, it does no I/O.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from typing import Any

import orjson

from shared.domain.chat import Chunk, Completion
from shared.domain.usage import Usage
from shared.errors import UpstreamError
from shared.providers.openai import errors
from shared.providers.server_sent_events import EventSplitter, encode, payload, split

DONE = b"[DONE]"
ANSWER_FIELDS = ("content", "tool_calls", "reasoning_content", "reasoning", "refusal", "function_call", "audio")
NOTEWORTHY = (b'"usage":{', b'"usage": {', b'"error":', b"[DONE]")
FINISHED = (b'"finish_reason":"', b'"finish_reason": "')


def completion(provider: str, body: bytes, api_model_name: str, *, secret: str = "") -> Completion:
    """A whole answer. Raises UpstreamError when it isn't one, whatever its status said."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamError(f"{provider} sent an answer that is not JSON.", operator_detail=str(error)) from None
    if not isinstance(answer, dict):
        raise UpstreamError(f"{provider} sent an answer of the wrong shape.")
    if answer.get("error"):
        raise errors.from_event(provider, answer["error"], secret=secret)
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not all(_is_choice(choice) for choice in choices):
        raise UpstreamError(f"{provider} sent an answer without choices.")
    answer["model"] = api_model_name
    usage = answer.get("usage")
    return Completion(answer, Usage.from_openai(usage) if isinstance(usage, dict) else None)


def _is_choice(choice: Any) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("message"), dict)


def _looks_plain(events: bytes) -> bool:
    """Whether every event ends as an object does, and none can hold usage, an error or the end."""
    return events.count(b"}\n\n") == events.count(b"\n\n") and not any(mark in events for mark in NOTEWORTHY)


class StreamDecoder:
    """Turns network blocks into chunks. Until the first content every event is read; after it bytes pass through,
    and only blocks with something noteworthy in them (usage, an error, the end) are taken apart.
    """

    def __init__(self, provider: str, api_model_name: str, *, secret: str = "") -> None:
        self.done = False
        self._secret = secret
        self._provider = provider
        self._model = api_model_name
        self._splitter = EventSplitter()
        self._committed = False
        self._finished = False
        self._failure: UpstreamError | None = None
        self._final: dict[str, Any] | None = None
        self._rename: tuple[bytes, bytes] | None = None

    def feed(self, block: bytes) -> Chunk:
        """The events that are whole by now. Raises UpstreamError for an error event or one that isn't JSON."""
        events = self._splitter.feed(block)
        if self._committed and _looks_plain(events):
            self._finished = self._finished or any(mark in events for mark in FINISHED)
            return Chunk(self._renamed(events), content=bool(events))
        return self._take_apart(events)

    def finish(self) -> Chunk:
        """The last chunk, with the usage. Raises UpstreamError when the stream broke off before its end."""
        last = self._take_apart(self._splitter.finish())
        if self._failure is not None:
            raise self._failure
        if not self.done and not self._finished:
            raise UpstreamError(f"{self._provider} broke off in the middle of its answer.")
        return Chunk(last.data, content=last.content, final=self._final)

    def _take_apart(self, events: bytes) -> Chunk:
        kept: list[bytes] = []
        content = False
        for event in split(events):
            data = payload(event)
            if data is None or self.done:
                continue
            if data == DONE:
                self.done = True
                continue
            try:
                parsed = self._parsed(data)
            except UpstreamError as error:
                if not (self._committed and kept):
                    raise
                self._failure, self.done = error, True  # what came before it in this block goes out first
                continue
            if self._is_usage_only(parsed):
                continue
            content = self._has_content(parsed) or content
            kept.append(encode(data) if b"\n" not in data else encode(orjson.dumps(parsed)))
        self._committed = self._committed or content
        return Chunk(self._renamed(b"".join(kept)), content=content)

    def _parsed(self, data: bytes) -> dict[str, Any]:
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise UpstreamError(
                f"{self._provider} sent an event that is not JSON.", operator_detail=str(error)
            ) from None
        if not isinstance(event, dict):
            raise UpstreamError(f"{self._provider} sent an event of the wrong shape.")
        if not isinstance(event.get("choices", []), list):
            raise UpstreamError(f"{self._provider} sent an event of the wrong shape.")
        if event.get("error"):
            raise errors.from_event(self._provider, event["error"], secret=self._secret)
        theirs = event.get("model")
        if self._rename is None and isinstance(theirs, str):
            self._rename = (orjson.dumps(theirs), orjson.dumps(self._model))
        return event

    def _is_usage_only(self, event: dict[str, Any]) -> bool:
        usage = event.get("usage")
        if not isinstance(usage, dict):
            return False
        if event.get("choices"):
            self._final = {**event, "model": self._model, "choices": []}
            return False
        self._final = {**event, "model": self._model, "choices": []}
        return True

    def _has_content(self, event: dict[str, Any]) -> bool:
        found = False
        for choice in event.get("choices") or ():
            if not isinstance(choice, dict):
                raise UpstreamError(f"{self._provider} sent an event of the wrong shape.")
            delta = choice.get("delta")
            if choice.get("finish_reason"):
                self._finished = found = True
            if isinstance(delta, dict) and any(delta.get(name) for name in ANSWER_FIELDS):
                found = True
        return found

    def _renamed(self, events: bytes) -> bytes:
        """The model under the name it was asked for by. A quote inside text is escaped, so only keys can match."""
        if self._rename is None or self._rename[0] == self._rename[1]:
            return events
        theirs, ours = self._rename
        return events.replace(b'"model":' + theirs, b'"model":' + ours).replace(
            b'"model": ' + theirs, b'"model": ' + ours
        )
