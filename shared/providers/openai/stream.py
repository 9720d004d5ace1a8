"""An OpenAI-compatible provider's event stream. Pure: fed with bytes, it does no I/O.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from typing import Any

import orjson

from shared.domain.chat import Chunk
from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamNetwork
from shared.providers.emptiness import TRUNCATED, empty_answer
from shared.providers.openai import errors
from shared.providers.openai.decode import has_content
from shared.providers.openai.repairs import StreamRepairs
from shared.providers.openai.surrogates import SurrogateHalves
from shared.providers.server_sent_events import EventSplitter, encode, payload, split

DONE = b"[DONE]"


def _looks_plain(events: bytes) -> bool:
    """Whether every event ends as an object does, and none can hold usage, an error, a tool call or the end."""
    if DONE in events or b'"error":' in events or b'"tool_calls":[' in events or b'"tool_calls": [' in events:
        return False
    if b'"usage"' in events:
        fields = events.count(b'"usage"')
        if fields not in (events.count(b'"usage":null'), events.count(b'"usage": null')):
            return False
    return events.count(b"}\n\n") == events.count(b"\n\n")


def _finishes(events: bytes) -> bool:
    """Whether one of them may say why the answer ends there; most say null."""
    return b'"finish_reason":"' in events or b'"finish_reason": "' in events


class StreamDecoder:
    """Turns network blocks into chunks. Until the first content every event is read; after it bytes pass through,
    and only blocks with something noteworthy in them (usage, an error, the end) are taken apart.

    What is changed: the model's name, what `repairs` puts right, usage (held back, and taken out of an event that says more), and, where events are
    read, comments and fields other than `data`. A finish alone is no content: a stream that has nothing else is a failure, or cut by its length.
    """

    def __init__(self, provider: str, api_model_name: str, *, secret: str = "") -> None:
        self.done = False
        self._secret = secret
        self._provider = provider
        self._model = api_model_name
        self._splitter = EventSplitter()
        self._repairs = StreamRepairs()
        self._halves = SurrogateHalves()
        self._committed = False
        self._finished = False
        self._reasons: set[str] = set()
        self._failure: UpstreamError | None = None
        self._final: dict[str, Any] | None = None
        self._told: dict[str, Any] | None = None
        self._rename: tuple[bytes, bytes] | None = None

    def feed(self, block: bytes) -> Chunk:
        """The events that are whole by now. Raises UpstreamError for an error event or one that isn't JSON."""
        events = self._halves.joined(self._splitter.feed(block))
        if self._committed and _looks_plain(events) and not (self._repairs.called and _finishes(events)):
            self._finished = self._finished or _finishes(events)
            return Chunk(self._renamed(events), content=bool(events))
        return self._take_apart(events)

    def finish(self) -> Chunk:
        """The last chunk, with the usage. Raises UpstreamError when the stream broke off before its end, or was empty."""
        last = self._last()
        usage = errors.usage_in(self._final)
        if self._failure is not None:
            self._failure.usage = self._failure.usage or usage
            raise self._failure
        if not self.done and not self._finished:
            raise UpstreamNetwork(f"{self._provider} broke off in the middle of its answer.", usage=usage, begun=True)
        if not self._committed and (empty := empty_answer(self._provider, self._reasons, usage=usage)) is not None:
            raise empty
        ending = b"" if self._finished else encode(self._repairs.ending(self._model))
        return Chunk(last.data + ending, content=last.content, final=self._final)

    def _last(self) -> Chunk:
        try:
            return self._take_apart(self._halves.joined(self._splitter.finish()))
        except UpstreamBadAnswer:
            return Chunk(b"")  # an event that was cut is none

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
                error.usage = error.usage or errors.usage_in(self._final)
                if not (self._committed and kept):
                    raise
                self._failure, self.done = error, True  # what came before it in this block goes out first
                continue
            rest = self._without_usage(parsed, orjson.dumps(parsed) if self._repairs.repair(parsed) else data)
            if rest is None:
                continue
            content = self._has_content(parsed) or content
            kept.append(encode(rest.replace(b"\n", b" ")))  # in JSON a line break is but a space between tokens
        self._committed = self._committed or content
        usage, self._told = self._told, None
        return Chunk(self._renamed(b"".join(kept)), content=content, usage=usage)

    def _parsed(self, data: bytes) -> dict[str, Any]:
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise UpstreamBadAnswer(
                f"{self._provider} sent an event that is not JSON.", operator_detail=str(error), begun=True
            ) from None
        if not isinstance(event, dict) or not isinstance(event.get("choices") or [], list):
            raise self._misshapen()
        if (reported := errors.reported(event)) is not None:
            raise errors.from_event(self._provider, reported, usage=errors.usage_in(event), secret=self._secret)
        theirs = event.get("model")
        if self._rename is None and isinstance(theirs, str) and theirs:  # Azure's first event names none
            self._rename = (orjson.dumps(theirs), orjson.dumps(self._model))
        return event

    def _misshapen(self) -> UpstreamError:
        return UpstreamBadAnswer(f"{self._provider} sent an event of the wrong shape.", begun=True)

    def _without_usage(self, event: dict[str, Any], data: bytes) -> bytes | None:
        """An event's data without the usage in it, which is kept; None when it says nothing else."""
        if not isinstance(event.get("usage"), dict):
            return data
        self._final = {**event, "model": self._model, "choices": []}
        self._told = event.pop("usage")
        if not event.get("choices"):
            return None
        try:
            return orjson.dumps(event)
        except orjson.JSONEncodeError:  # nested too deeply
            raise self._misshapen() from None

    def _has_content(self, event: dict[str, Any]) -> bool:
        found = False
        for choice in event.get("choices") or ():
            if not isinstance(choice, dict):
                raise self._misshapen()
            if reason := choice.get("finish_reason"):
                self._finished = True
                self._reasons.add(str(reason))
            found = found or reason == TRUNCATED or has_content(choice.get("delta"))
        return found

    def _renamed(self, events: bytes) -> bytes:
        """The model under the name it was asked for by. A quote inside text is escaped, so only keys can match."""
        if self._rename is None or self._rename[0] == self._rename[1]:
            return events
        theirs, ours = self._rename
        return events.replace(b'"model":' + theirs, b'"model":' + ours).replace(
            b'"model": ' + theirs, b'"model": ' + ours
        )
