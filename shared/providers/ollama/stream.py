"""Ollama's stream, one JSON object a line, as OpenAI's chunks. Pure: fed with bytes, it does no I/O.

Source: https://docs.ollama.com/api/streaming
"""

from typing import Any

import orjson

from shared.domain.chat import Chunk
from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamNetwork
from shared.providers.emptiness import empty_answer
from shared.providers.ollama import errors
from shared.providers.ollama.decode import (
    Asked,
    finish_reason,
    logprobs,
    text_of,
    tool_calls,
    usage_object,
    usage_of,
)
from shared.providers.server_sent_events import encode

MAX_LINE_BYTES = 16 * 1024 * 1024

Line = dict[str, Any]


class StreamDecoder:
    """Turns network blocks into chunks, one for each block.

    A failure is raised by `finish`, so that what came before it in the same block is not lost.
    """

    def __init__(self, asked: Asked) -> None:
        self.done = False
        self._asked = asked
        self._rest = b""
        self._failure: UpstreamError | None = None
        self._final: Line | None = None
        self._begun = self._answered = False
        self._calls = 0
        self._out: list[bytes] = []
        self._content = False

    def feed(self, block: bytes) -> Chunk:
        """What the lines say that are whole by now."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        self._read(lines)
        if len(self._rest) > MAX_LINE_BYTES:
            self._fail(UpstreamBadAnswer(f"{self._asked.provider} sent a line too large to handle.", begun=True))
        return self._chunk()

    def finish(self) -> Chunk:
        """The last chunk, with the usage. Raises UpstreamError when the stream failed, broke off before its end, or was empty."""
        self._read([self._rest])
        last = self._chunk()
        if self._failure is not None:
            raise self._failure
        if self._final is None:
            raise UpstreamNetwork(f"{self._asked.provider} broke off in the middle of its answer.", begun=True)
        return Chunk(last.data, content=last.content, final=self._final)

    def _chunk(self) -> Chunk:
        chunk = Chunk(b"".join(self._out), content=self._content)
        self._out, self._content = [], False
        return chunk

    def _read(self, lines: list[bytes]) -> None:
        provider = self._asked.provider
        for line in lines:
            if self.done or not line.strip():
                continue
            try:
                self._take(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                self._fail(
                    UpstreamBadAnswer(
                        f"{provider} sent a line that is not JSON.", operator_detail=str(error), begun=True
                    )
                )
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self._fail(
                    UpstreamBadAnswer(
                        f"{provider} sent a line of the wrong shape.", operator_detail=repr(error), begun=True
                    )
                )

    def _fail(self, failure: UpstreamError) -> None:
        self._failure, self.done, self._rest = failure, True, b""

    def _take(self, line: Line) -> None:
        if line.get("error"):
            self._fail(errors.from_line(self._asked.provider, line["error"]))
            return
        message = line.get("message", {}) if line.get("done") else line["message"]
        delta: Line = {}
        if thinking := text_of(message, "thinking"):
            delta["reasoning_content"] = thinking
        if text := text_of(message, "content"):
            delta["content"] = text
        if calls := tool_calls(self._asked, message, first=self._calls):
            delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls, self._calls)]
        self._calls += len(calls)
        if not self._begun:
            self._begun = True
            self._emit({"role": "assistant", "content": ""})
        if delta:
            self._content = self._answered = True
            self._emit(delta, probabilities=logprobs(line))
        if line.get("done"):
            self._end(line)

    def _end(self, line: Line) -> None:
        reason = finish_reason(line, called=self._calls > 0)
        usage = usage_object(self._asked, line, usage_of(self._asked, line))
        if not self._answered and (empty := empty_answer(self._asked.provider, {reason}, usage=usage)) is not None:
            self._fail(empty)
            return
        self.done = self._content = True
        self._emit({}, reason=reason)
        self._final = self._asked.answer("chat.completion.chunk") | {"choices": [], "usage": usage}

    def _emit(self, delta: Line, *, reason: str | None = None, probabilities: Line | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        if probabilities is not None:
            choice["logprobs"] = probabilities
        self._out.append(encode(orjson.dumps(self._asked.answer("chat.completion.chunk") | {"choices": [choice]})))
