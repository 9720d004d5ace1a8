"""A chat request in its canonical form, the OpenAI payload, with the few facts that routing needs picked out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared.domain.routing import RoutingOptions
from shared.domain.usage import Usage
from shared.errors import invalid_field

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
CHARACTERS_PER_TOKEN = 4
TOKENS_PER_IMAGE = 1_000
MAX_MESSAGES = 10_000


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat. `payload` is the caller's body without `gateway`; every field of it that we do not know is kept."""

    payload: dict[str, Any]
    model: str
    stream: bool
    include_usage: bool
    options: RoutingOptions
    prompt_tokens: int
    max_tokens: int | None
    needs_vision: bool
    needs_tools: bool
    needs_code: bool

    @classmethod
    def parse(cls, body: Any) -> "ChatRequest":
        """Check a request body and pick out what routing needs. Raises InvalidInput naming field and reason."""
        if not isinstance(body, Mapping):
            raise invalid_field("(body)", "must be a JSON object")
        payload = dict(body)
        options = _options(payload.pop("gateway", None))
        for name in payload.keys() & FIELD_RULES.keys():
            value = payload[name]
            if value is not None and (reason := FIELD_RULES[name](value)):
                raise invalid_field(name, reason)
        if payload.get("messages") is None:
            raise invalid_field("messages", "this field is required")
        characters, images = _measure(payload["messages"])
        tools = payload.get("tools") or payload.get("functions")
        stream_options = payload.get("stream_options") or {}
        return cls(
            payload=payload,
            model=payload.get("model") or "auto",
            stream=bool(payload.get("stream")),
            include_usage=bool(stream_options.get("include_usage")),
            options=options,
            prompt_tokens=characters // CHARACTERS_PER_TOKEN + images * TOKENS_PER_IMAGE + 1,
            max_tokens=payload.get("max_completion_tokens") or payload.get("max_tokens"),
            needs_vision=images > 0,
            needs_tools=bool(tools),
            needs_code=_mentions_code(payload["messages"][-1]),
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer: the OpenAI response object as the provider gave it (or as it was translated), and its usage."""

    payload: dict[str, Any]
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part of a streamed answer.

    `data` holds whole server-sent events in OpenAI's form, without `[DONE]`; it may be empty. `content` says that
    it carries some of the answer (text, reasoning, a tool call, a finish reason): the commit point of a stream.
    `final` is the parsed usage event, kept back so that the cost can be put in; it comes at most once, last.
    """

    data: bytes
    content: bool = False
    final: dict[str, Any] | None = None


def _options(value: Any) -> RoutingOptions:
    if value is None:
        return _DEFAULT_OPTIONS
    if not isinstance(value, dict):
        raise invalid_field("gateway", "must be an object")
    try:
        return RoutingOptions.model_validate(value, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = ".".join(["gateway", *(str(part) for part in found["loc"])])
        unknown = found["type"] == "extra_forbidden"
        raise invalid_field(
            name, "this option is not known" if unknown else found["msg"][:1].lower() + found["msg"][1:]
        ) from None


_DEFAULT_OPTIONS = RoutingOptions()


def _measure(messages: list[Any]) -> tuple[int, int]:
    """Characters of text and number of images in the messages; refuses what no provider could take."""
    characters = images = 0
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise invalid_field(f"messages.{index}", "must be an object with 'role' and 'content'")
        role = message.get("role")
        if role not in ROLES:
            raise invalid_field(f"messages.{index}.role", "must be one of " + ", ".join(sorted(ROLES)))
        content = message.get("content")
        if isinstance(content, str):
            characters += len(content)
        elif isinstance(content, list):
            for part_index, part in enumerate(content):
                if not isinstance(part, dict) or not isinstance(part.get("type"), str):
                    raise invalid_field(f"messages.{index}.content.{part_index}", "must be an object with 'type'")
                if part["type"] in IMAGE_PARTS:
                    images += 1
                elif isinstance(text := part.get("text"), str):
                    characters += len(text)
        elif content is not None:
            raise invalid_field(f"messages.{index}.content", "must be text or a list of content parts")
        elif role in ("user", "system", "developer"):
            raise invalid_field(f"messages.{index}.content", "this field is required")
    return characters, images


def _mentions_code(message: dict[str, Any]) -> bool:
    """Whether the last message holds a fenced block, which is all we claim to know of it being about code."""
    content = message.get("content")
    return isinstance(content, str) and "```" in content


IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})

Rule = Callable[[Any], str | None]


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _number(low: float, high: float) -> Rule:
    def check(value: Any) -> str | None:
        ok = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        return None if ok else f"must be a number from {low:g} to {high:g}"

    return check


def _integer(low: int, high: int) -> Rule:
    def check(value: Any) -> str | None:
        ok = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if ok else f"must be a whole number from {low} to {high}"

    return check


def _objects(value: Any) -> str | None:
    ok = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    return None if ok else "must be a list of objects"


def _object(value: Any) -> str | None:
    return None if isinstance(value, dict) else "must be an object"


def _name(value: Any) -> str | None:
    ok = isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()
    return None if ok else "must be a name of at most 200 printable characters"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and len(value) <= 10_000 else "must be text"


def _messages(value: Any) -> str | None:
    ok = isinstance(value, list) and 0 < len(value) <= MAX_MESSAGES
    return None if ok else f"must be a list of 1 to {MAX_MESSAGES} messages"


def _stop(value: Any) -> str | None:
    ok = isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
    return None if ok else "must be text or a list of texts"


def _text_or_object(value: Any) -> str | None:
    return None if isinstance(value, str | dict) else "must be text or an object"


FIELD_RULES: dict[str, Rule] = {
    "model": _name,
    "messages": _messages,
    "stream": _boolean,
    "stream_options": _object,
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "n": _integer(1, 128),
    "stop": _stop,
    "seed": _integer(-(2**63), 2**63 - 1),
    "max_tokens": _integer(1, 10_000_000),
    "max_completion_tokens": _integer(1, 10_000_000),
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "logit_bias": _object,
    "logprobs": _boolean,
    "top_logprobs": _integer(0, 20),
    "tools": _objects,
    "functions": _objects,
    "tool_choice": _text_or_object,
    "parallel_tool_calls": _boolean,
    "response_format": _object,
    "reasoning_effort": _text,
    "user": _text,
    "metadata": _object,
}
"""The documented fields whose type is checked here, so that a wrong one never reaches a provider."""
