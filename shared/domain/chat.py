"""A chat request in its canonical form, the OpenAI payload, with the few facts that routing needs picked out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from shared.domain import bounds
from shared.domain.routing import OPENING, Facts, RoutingOptions
from shared.domain.usage import Usage
from shared.errors import InvalidInput, invalid_field

NativeDialect = Literal["messages", "responses", "ollama"]
"""Dialects besides the canonical one: Anthropic's Messages, OpenAI's Responses and Ollama's."""

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
CHARACTERS_PER_TOKEN = 4
TOKENS_PER_IMAGE = 1_000
NATIVE_LENGTH: Mapping[NativeDialect, str] = {"messages": "max_tokens", "responses": "max_output_tokens"}
"""The field that limits an answer. In Ollama's dialect the limit of the canonical payload wins over its option."""
LENGTH_NAMES = ("max_completion_tokens", "max_tokens")
MAX_MESSAGES = 10_000
OPENING_CHARACTERS = 4_096
FENCE = "```"


@dataclass(frozen=True, slots=True)
class Native:
    """A request as the caller wrote it, in a dialect other than the canonical one: its body, the same parsed, and the
    headers of that dialect. A provider that speaks the dialect gets this in place of a translation.
    """

    dialect: NativeDialect
    body: bytes
    payload: Mapping[str, Any]
    headers: Mapping[str, str]

    def changed(self, **fields: Any) -> "Native":
        """The same with other values in some fields of its top level; None takes a field away."""
        payload = {name: value for name, value in {**self.payload, **fields}.items() if value is not None}
        return Native(self.dialect, orjson.dumps(payload), payload, self.headers)


class Translated(dict[str, Any]):
    """A canonical payload that was translated from another dialect, with the request as it was."""

    def __init__(self, payload: Mapping[str, Any], native: Native) -> None:
        super().__init__(payload)
        self.native = native


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat. `payload` is the caller's body without `gateway`; every field of it that we do not know is kept.
    `native` is what the caller wrote, where that was in another dialect.
    """

    payload: dict[str, Any]
    facts: Facts
    include_usage: bool
    native: Native | None = None

    @classmethod
    def parse(cls, body: Any) -> "ChatRequest":
        """Check a request body and pick out what routing needs. Raises InvalidInput naming field and reason."""
        if not isinstance(body, Mapping):
            raise invalid_field("(body)", "must be a JSON object")
        payload = dict(body)
        options = _options(payload.pop("gateway", None))
        for name, value in payload.items():
            if value is not None and (rule := FIELD_RULES.get(name)) and (reason := rule(value)):
                raise invalid_field(name, reason)
        if payload.get("messages") is None:
            raise invalid_field("messages", "this field is required")
        stream_options = payload.get("stream_options") or {}
        native = body.native if isinstance(body, Translated) else None
        return cls(payload, _facts(payload, options), bool(stream_options.get("include_usage")), native)

    @property
    def options(self) -> RoutingOptions:
        """What the caller asks of the router."""
        return self.facts.options

    @property
    def stream(self) -> bool:
        """Whether the answer is wanted as it comes."""
        return self.facts.stream

    @property
    def prompt_tokens(self) -> int:
        """The prompt's length in tokens, estimated."""
        return self.facts.prompt_tokens

    def whole(self) -> "ChatRequest":
        """The same, to be answered in one piece."""
        payload = {name: value for name, value in self.payload.items() if name not in ("stream", "stream_options")}
        return ChatRequest(payload, replace(self.facts, stream=False), self.include_usage)

    def bounded(self) -> "ChatRequest":
        """The same with an upper bound of what it may cost: worked out only where a budget asks for it."""
        if self.facts.prompt_most:
            return self
        most, searches = bounds.most_tokens(self.payload), bounds.most_searches(self.payload)
        facts = replace(self.facts, prompt_most=most, searches=searches)
        return ChatRequest(self.payload, facts, self.include_usage, self.native)

    def limited(self, tokens: int) -> "ChatRequest":
        """Return the same request with an answer of at most that many tokens, under the name that the caller uses."""
        names = [name for name in LENGTH_NAMES if self.payload.get(name) is not None] or ["max_tokens"]
        payload = {**self.payload, **dict.fromkeys(names, tokens)}
        native = self.native
        if native is not None and (name := NATIVE_LENGTH.get(native.dialect)):
            native = native.changed(**{name: tokens})
        return ChatRequest(payload, replace(self.facts, max_tokens=tokens), self.include_usage, native)


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer: the OpenAI response object as the provider gave it (or as it was translated), and its usage.
    `native` is the answer in the caller's own dialect, where the provider speaks that.
    """

    payload: dict[str, Any]
    usage: Usage | None
    native: bytes | None = None


@dataclass(slots=True)  # made for every block of a stream, and freezing doubles what that costs; nobody changes it
class Chunk:
    """Part of a streamed answer.

    `data` holds whole server-sent events in OpenAI's form, without `[DONE]`, or in the caller's own dialect where the
    provider speaks that; it may be empty. `content` says that
    it carries some of the answer (text, reasoning, a tool call; a finish reason only where it says that the answer is
    at its longest): the commit point of a stream. `usage` is what the provider says by then that is used, in OpenAI's
    form, with a completion of 0 tokens where it does not know yet.
    `final` is the parsed usage event, kept back so that the cost can be put in; it comes at most once, last.
    `native` says that the events are in the caller's own dialect, `calls` are then the ids of tool calls that begin in them.
    """

    data: bytes
    content: bool = False
    final: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    native: bool = False
    calls: tuple[str, ...] = ()


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


def _facts(payload: dict[str, Any], options: RoutingOptions) -> Facts:
    messages = payload["messages"]
    characters, images, turn = _measured(messages)
    tools = payload.get("tools") or payload.get("functions")
    if tools:
        characters += len(_written(tools))
    return Facts(
        model=payload.get("model") or "auto",
        options=options,
        prompt_tokens=characters // CHARACTERS_PER_TOKEN + images * TOKENS_PER_IMAGE + 1,
        max_tokens=_longest(payload),
        choices=payload.get("n") or 1,
        needs_vision=images > 0,
        needs_tools=bool(tools),
        needs_schema=(payload.get("response_format") or {}).get("type") in ("json_schema", "json_object"),
        needs_code=_mentions_code(messages[-1]),
        stream=bool(payload.get("stream")),
        conversation=_conversation(payload, options),
        turn=turn,
    )


def _written(tools: Any) -> str:
    try:
        return orjson.dumps(tools, default=str).decode()
    except orjson.JSONEncodeError:
        raise InvalidInput("The request cannot be sent as JSON: it is nested too deeply.") from None


def _longest(payload: dict[str, Any]) -> int | None:
    """The longest answer that the caller allows, under either of its names."""
    given = [value for name in LENGTH_NAMES if (value := payload.get(name)) is not None]
    return max(given, default=None)


def _measured(messages: list[Any]) -> tuple[int, int, int]:
    """Characters, images and answers in a conversation; refuses what no provider could take."""
    characters = images = answers = 0
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise invalid_field(f"messages.{index}", "must be an object with 'role' and 'content'")
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or role not in ROLES:
            raise invalid_field(f"messages.{index}.role", "must be one of " + ", ".join(sorted(ROLES)))
        if isinstance(content, str):
            characters += len(content)
        elif content is not None:
            text, seen = _measured_parts(index, content)
            characters, images = characters + text, images + seen
        elif role in ("user", "system", "developer"):
            raise invalid_field(f"messages.{index}.content", "this field is required")
        if calls := message.get("tool_calls"):
            characters += len(str(calls))
        answers += role == "assistant"
    return characters, images, answers


def _measured_parts(index: int, parts: Any) -> tuple[int, int]:
    """Characters and images in a content that is no plain text."""
    if not isinstance(parts, list):
        raise invalid_field(f"messages.{index}.content", "must be text or a list of content parts")
    characters = images = 0
    for part_index, part in enumerate(parts):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise invalid_field(f"messages.{index}.content.{part_index}", "must be an object with 'type'")
        rule = PART_RULES.get(part["type"])
        if rule is not None and rule.field in part and not isinstance(part[rule.field], rule.kinds):
            raise invalid_field(f"messages.{index}.content.{part_index}.{rule.field}", f"must be {rule.words}")
        if part["type"] in IMAGE_PARTS:
            images += 1
        elif isinstance(text := part.get("text"), str):
            characters += len(text)
    return characters, images


def _conversation(payload: dict[str, Any], options: RoutingOptions) -> str:
    if options.session:
        return f"session:{options.session}"
    if user := payload.get("user"):
        return f"user:{_digest(user)}"
    return f"{OPENING}{_opening(payload['messages'])}"


def _opening(messages: list[dict[str, Any]]) -> str:
    """How the conversation began, as a digest: the system's words and the user's first."""
    texts = []
    for message in messages:
        texts.append(_text_of(message)[:OPENING_CHARACTERS])
        if message["role"] not in ("system", "developer"):
            break
    return _digest("\0".join(texts))


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _text_of(message: dict[str, Any]) -> str:
    """The first text of a message."""
    content = message.get("content")
    if isinstance(content, list):
        content = next((part["text"] for part in content if isinstance(part.get("text"), str)), "")
    return content if isinstance(content, str) else ""


def _mentions_code(message: dict[str, Any]) -> bool:
    """Whether the last message holds a fenced block, which is all we claim to know of it being about code."""
    content = message.get("content")
    if isinstance(content, list):
        return any(FENCE in text for part in content if isinstance(text := part.get("text"), str))
    return isinstance(content, str) and FENCE in content


IMAGE_PARTS = bounds.IMAGE_PARTS


@dataclass(frozen=True, slots=True)
class PartRule:
    """What the content parts of one type hold: `field`, of one of `kinds`."""

    field: str
    kinds: type | tuple[type, ...]
    words: str


PART_RULES: Mapping[str, PartRule] = {
    "text": PartRule("text", str, "text"),
    "refusal": PartRule("refusal", str, "text"),
    "image_url": PartRule("image_url", (dict, str), "an object with 'url'"),
    "input_audio": PartRule("input_audio", dict, "an object with 'data' and 'format'"),
    "file": PartRule("file", dict, "an object"),
}

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
