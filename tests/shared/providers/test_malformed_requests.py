"""Whatever stands in any place of a request, no dialect's encoder breaks on it: it is sent, or it is the caller's mistake."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from shared.domain.chat import ChatRequest
from shared.errors import InvalidInput
from shared.providers.anthropic.encode import encode as for_anthropic
from shared.providers.ollama.encode import encode as for_ollama
from shared.providers.ollama.traits import Traits
from shared.providers.openai import encode as openai

Place = tuple[str | int, ...]

FUNCTION = {"name": "f", "arguments": "{}"}
THOUGHT = {"type": "reasoning.text", "text": "", "signature": "s", "format": "anthropic-claude-v1", "model": "m"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string", "enum": ["x"]}, "b": {"anyOf": [{"type": "string"}]}},
    "required": ["a"],
    "additionalProperties": False,
}
REQUEST: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": [{"type": "text", "text": "a"}, PICTURE]},
        {
            "role": "assistant",
            "content": "x",
            "tool_calls": [{"id": "c", "type": "function", "function": FUNCTION}],
            "reasoning_details": [THOUGHT],
            "anthropic_content": [
                {"type": "text", "text": "x"},
                {"type": "tool_use", "id": "c", "name": "f", "input": {}},
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "1", "name": "f", "is_error": False},
        {"role": "assistant", "function_call": FUNCTION},
        {"role": "function", "name": "f", "content": "1"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": SCHEMA}}],
    "functions": [{"name": "g", "parameters": SCHEMA}],
    "function_call": {"name": "f"},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
    "reasoning_effort": "low",
    "reasoning": {"effort": "low"},
    "thinking": {"type": "enabled", "budget_tokens": 2_000},
    "output_config": {"effort": "low"},
    "stop": ["a", "b"],
    "metadata": {"user_id": "a"},
    "modalities": ["text"],
    "service_tier": "auto",
    "anthropic_beta": ["a-b"],
    "options": {"num_ctx": 5, "stop": ["x"]},
    "stream_options": {"include_usage": True},
    "max_tokens": 100,
}
CHOICES: dict[str, Any] = {
    "none": None,
    "named": {"type": "function", "function": {"name": "f"}},
    "allowed": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "f"}}]}},
}
ODD: tuple[Any, ...] = (None, True, 5, 1.5, "", "x", [], ["x"], [{}], {}, {"type": ["x"]}, {"type": {}})


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    if here:
        yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*here, key))


def changed(value: Any, place: Place, odd: Any) -> Any:
    if not place:
        return odd
    copied = value.copy()
    copied[place[0]] = changed(value[place[0]], place[1:], odd)
    return copied


def anthropic(request: ChatRequest) -> None:
    for model in ("claude-3-5-haiku-latest", "claude-sonnet-4-5", "claude-opus-5-5"):
        orjson.dumps(for_anthropic(request.payload, model=model, stream=True).body)


def ollama(request: ChatRequest) -> None:
    orjson.dumps(for_ollama(request.payload, Traits(thinking=("low", "high")), model="m", stream=True))


def openai_compatible(request: ChatRequest) -> None:
    openai.body(
        request,
        "m",
        renames=(("max_tokens", "max_completion_tokens"),),
        message_fields_refused=frozenset({"reasoning_details"}),
    )


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("encoder", [anthropic, ollama, openai_compatible])
def test_no_value_in_any_place_breaks_an_encoder(encoder: Callable[[ChatRequest], None], choice: Any) -> None:
    whole = {**REQUEST, "tool_choice": choice}
    encoder(ChatRequest.parse(whole))
    for place in places(whole):
        for odd in ODD:
            try:
                encoder(ChatRequest.parse(changed(whole, place, odd)))
            except InvalidInput:
                continue
            except Exception as error:
                raise AssertionError(f"{place} as {odd!r}") from error
