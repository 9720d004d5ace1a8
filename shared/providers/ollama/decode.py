"""Ollama's whole answer as an OpenAI chat completion, and the parts that its stream shares. Pure.

Source: https://docs.ollama.com/api/chat. An answer whose prompt was cut says so: `usage.truncated_prompt` is true.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.domain.chat import Completion
from shared.domain.usage import MOST_TOKENS, Usage
from shared.errors import UpstreamBadAnswer
from shared.providers.emptiness import empty_answer, not_json
from shared.providers.ollama import errors
from shared.providers.ollama.window import Window

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an answer belongs to. `identity` is made up, since Ollama's answers have none; `created` is epoch seconds."""

    provider: str
    model: str
    identity: str
    created: int
    window: Window

    def answer(self, kind: str) -> dict[str, Any]:
        """The fields that whole answers and chunks have in common."""
        return {"id": f"chatcmpl-{self.identity}", "object": kind, "created": self.created, "model": self.model}


def completion(asked: Asked, body: bytes) -> Completion:
    """A whole answer. Raises UpstreamBadAnswer or the failure in it when it isn't one, whatever its status said."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise not_json(asked.provider, body, error) from None
    if isinstance(answer, dict) and answer.get("error"):
        raise errors.from_line(asked.provider, answer["error"])
    try:
        return _decode(asked, answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UpstreamBadAnswer(
            f"{asked.provider} sent an answer of the wrong shape.", operator_detail=repr(error)
        ) from None


def _decode(asked: Asked, answer: Answer) -> Completion:
    said = answer["message"]
    calls = tool_calls(asked, said, first=0)
    text = text_of(said, "content")
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if thinking := text_of(said, "thinking"):
        message["reasoning_content"] = thinking
    if calls:
        message["tool_calls"] = calls
    reason = finish_reason(answer, called=bool(calls))
    usage = usage_of(asked, answer)
    told = usage_object(asked, answer, usage)
    if not (text or thinking or calls) and (empty := empty_answer(asked.provider, {reason}, usage=told)) is not None:
        raise empty
    choice = {"index": 0, "message": message, "logprobs": logprobs(answer), "finish_reason": reason}
    payload = asked.answer("chat.completion") | {"choices": [choice], "usage": told}
    return Completion(payload, usage)


def text_of(message: Answer, field: str) -> str:
    """A text of a message, empty where it has none. Raises TypeError for anything else."""
    text = message.get(field)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise TypeError(f"{field} is no text")
    return text


def tool_calls(asked: Asked, message: Answer, *, first: int) -> list[dict[str, Any]]:
    """The tool calls of a message; ids are made up where there are none. `first` counts those that came before."""
    return [
        {
            "id": call.get("id") or f"call_{asked.identity}_{index}",
            "type": "function",
            "function": {
                "name": call["function"]["name"],
                "arguments": _arguments(call["function"].get("arguments")),
            },
        }
        for index, call in enumerate(message.get("tool_calls") or (), first)
    ]


def logprobs(answer: Answer) -> dict[str, Any] | None:
    """Log probabilities, which Ollama gives token by token in OpenAI's form."""
    found = answer.get("logprobs")
    return {"content": found} if found else None


def finish_reason(answer: Answer, *, called: bool) -> str:
    """Why the answer ended, in OpenAI's words."""
    if answer.get("done_reason") == "length":
        return "length"
    return "tool_calls" if called else "stop"


def usage_of(asked: Asked, answer: Answer) -> Usage:
    """The tokens used. A prompt that the server did not count, having it in its cache, is estimated."""
    prompt = _count(answer, "prompt_eval_count")
    return Usage(
        prompt=asked.window.size.estimate if prompt is None else prompt,
        completion=_count(answer, "eval_count") or 0,
        cached=_count(answer, "prompt_eval_cached_count") or 0,
        estimated=prompt is None,
    )


def usage_object(asked: Asked, answer: Answer, usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's form, with a word on a prompt that was cut."""
    made = usage.to_openai()
    prompt = _count(answer, "prompt_eval_count")
    if prompt is not None and asked.window.was_cut(prompt):
        made["truncated_prompt"] = True
    return made


def _arguments(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()


def _count(answer: Answer, key: str) -> int | None:
    value = answer.get(key)
    return min(value, MOST_TOKENS) if isinstance(value, int) and value > 0 else None
