"""A request that came in Anthropic's own dialect, sent on as the caller wrote it but for the model's name. Pure.

What was written for another generation of models is translated instead: a client that is told no model, or a role's name,
cannot know what the model behind it takes.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from shared.domain.chat import Native
from shared.providers.anthropic.content import THINKING
from shared.providers.anthropic.traits import Traits

MODEL = re.compile(rb'"model"(\s*:\s*)"(?:[^"\\]|\\.)*"')
VERSION, BETAS = "anthropic-version", "anthropic-beta"


def body_for(native: Native, model: str, traits: Traits, *, stream: bool) -> bytes | None:
    """The body for a model, or None where the model does not take what is in it."""
    if not _takes(native.payload, traits):
        return None
    wanted = native
    if (messages := _signed(native.payload["messages"])) is not None:
        wanted = wanted.changed(messages=messages)
    if bool(wanted.payload.get("stream")) is not stream:
        wanted = wanted.changed(stream=stream or None)
    return with_model(wanted, model)


def headers_for(native: Native, own: Mapping[str, str]) -> dict[str, str]:
    """Our headers, with the caller's version and betas of the API."""
    return {**own, **{name: native.headers[name] for name in (VERSION, BETAS) if name in native.headers}}


def with_model(native: Native, model: str) -> bytes:
    """The body with that model's name in it: byte for byte the caller's where the name stands there once."""
    found = MODEL.findall(native.body)
    if len(found) == 1:
        body = MODEL.sub(lambda match: b'"model"' + match[1] + orjson.dumps(model), native.body)
        if orjson.loads(body) == {**native.payload, "model": model}:
            return body
    return orjson.dumps({**native.payload, "model": model})


def _takes(payload: Mapping[str, Any], traits: Traits) -> bool:
    thinking, output = payload.get("thinking"), payload.get("output_config")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind == "adaptive" and traits.thinking != "adaptive":
        return False
    if kind == "enabled" and (traits.thinking == "none" or traits.sampling == "none"):  # those think as they see fit
        return False
    if kind == "disabled" and traits.thinking_off == "never":
        return False
    if isinstance(output, dict) and (
        (output.get("effort") and traits.thinking != "adaptive")
        or (output.get("effort") == "xhigh" and not traits.extra_high_effort)
        or (output.get("format") and not traits.structured_output)
    ):
        return False
    if traits.sampling == "none" and any(payload.get(name) is not None for name in ("temperature", "top_p", "top_k")):
        return False
    return traits.inner_system or all(message.get("role") != "system" for message in payload["messages"])


def _signed(messages: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The messages without thinking that nobody signed, which another vendor's answers left there; None if there is none."""
    found = False
    kept = []
    for message in messages:
        content = message.get("content")
        if message.get("role") == "assistant" and isinstance(content, list):
            signed = [block for block in content if _is_signed(block)]
            if len(signed) != len(content):
                found = True
                message = {**message, "content": signed}
        if message.get("content") != []:
            kept.append(message)
    return kept if found else None


def _is_signed(block: dict[str, Any]) -> bool:
    return block.get("type") not in THINKING or bool(block.get("signature") or block.get("data"))
