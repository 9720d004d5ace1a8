"""The canonical chat payload as a request for Anthropic's Messages API. Pure.

Source: https://platform.claude.com/docs/en/api/messages

`reasoning_effort` becomes `output_config.effort` with adaptive thinking from Claude 4.6 on, a thinking budget before:

    effort   minimal  low   medium  high    xhigh   max     none
    budget   1024     2048  6144    12288   22000   22000   no thinking
    adaptive low      low   medium  high    xhigh   max     no thinking, or `low` where thinking cannot be turned off

Fields that only OpenAI knows are dropped. What would change the answer is refused as unsupported, since another dialect
may take it: n > 1, audio, free-text tools, a `stop` of nothing but blanks or line breaks.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.providers.anthropic.content import invalid, text_blocks, unsupported
from shared.providers.anthropic.conversation import Conversation, conversation_of
from shared.providers.anthropic.structured import output_format
from shared.providers.anthropic.tools import Toolbox, toolbox
from shared.providers.anthropic.traits import Traits, traits_of

BUDGETS: Mapping[str, int] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 6144,
    "high": 12_288,
    "xhigh": 22_000,
    "max": 22_000,
}
EFFORTS: Mapping[str, str] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
MIN_BUDGET = 1024
PASSED_ON = ("cache_control", "container", "diagnostics", "inference_geo", "speed", "user_profile_id")
PASSED_ON_WITH_BETA = ("mcp_servers", "context_management", "fallbacks", "compaction", "thread")
BETA_NAME = re.compile(r"[a-z0-9-]{1,64}")
BINDING_BETA = "thinking-binding-controls-2026-08-01"
OPAQUE_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{1,256}")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A Messages request, and the names for its `anthropic-beta` header."""

    body: dict[str, Any]
    betas: tuple[str, ...] = ()


def encode(payload: Mapping[str, Any], *, model: str, stream: bool) -> Encoded:
    """The request. Anthropic's own fields are kept.

    Raises Unsupported for what Anthropic cannot do, InvalidInput for what is malformed.
    """
    _refuse(payload)
    traits = traits_of(model)
    keep_thinking = not (_effort_asked(payload) == "none" and traits.thinking_off == "disabled")
    conversation = conversation_of(payload["messages"], traits, model, keep_thinking=keep_thinking)
    tools = toolbox(payload, traits, conversation.called)
    form, form_note = output_format(payload.get("response_format"), traits)
    thinking, effort = _thinking(payload, traits, conversation, tools)
    betas = _betas(payload)
    if traits.preserved_thinking and conversation.has_thinking():
        thinking, betas = _unbound(thinking, betas)
    body: dict[str, Any] = {"model": model, "max_tokens": _max_tokens(payload, traits, thinking)}
    system = [*conversation.system, *text_blocks(form_note), *text_blocks(tools.note)]
    optional = {
        "system": system,
        "messages": conversation.turns,
        "tools": tools.tools,
        "tool_choice": tools.choice,
        "thinking": thinking,
        "output_config": _output_config(payload, form, effort),
        "stop_sequences": _stop_sequences(payload.get("stop")),
        "metadata": _metadata(payload),
        **_sampling(payload, traits, thinking),
        **_passed_on(payload, betas),
    }
    body.update({name: value for name, value in optional.items() if value not in (None, [], {})})
    if stream:
        body["stream"] = True
    return Encoded(body, betas)


def _refuse(payload: Mapping[str, Any]) -> None:
    if (payload.get("n") or 1) > 1:
        raise unsupported("n", "Anthropic's models give one answer to a request; send several requests instead")
    modalities = payload.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities:
        raise unsupported("modalities", "Anthropic's models answer in text only")


def _thinking(
    payload: Mapping[str, Any], traits: Traits, conversation: Conversation, tools: Toolbox
) -> tuple[dict[str, Any] | None, str | None]:
    """Anthropic's thinking setting and its effort."""
    asked = _effort_asked(payload)
    effort = _effort(asked, traits)
    if isinstance(own := payload.get("thinking"), dict):
        return {**own}, effort
    if asked is None or traits.thinking == "none":
        return None, None
    if traits.thinking == "budget":
        return _budget(payload, asked, conversation, tools), None
    if asked == "none":
        off = traits.thinking_off
        return (None, "low") if off == "never" else (None if off == "omit" else {"type": off}, None)
    if tools.forced:
        return None, "high" if effort in ("xhigh", "max") else effort
    return {"type": "adaptive"} if traits.shows_thinking else {"type": "adaptive", "display": "summarized"}, effort


def _effort_asked(payload: Mapping[str, Any]) -> str | None:
    """The effort that the caller names, in OpenAI's or OpenRouter's field; words of other vendors' own count as none given."""
    reasoning = payload.get("reasoning")
    nested = reasoning.get("effort") if isinstance(reasoning, dict) else None
    asked = payload.get("reasoning_effort") or nested
    return asked if isinstance(asked, str) and (asked == "none" or asked in EFFORTS) else None


def _effort(asked: str | None, traits: Traits) -> str | None:
    if traits.thinking != "adaptive" or asked is None or asked == "none":
        return None
    effort = EFFORTS[asked]
    return "high" if effort == "xhigh" and not traits.extra_high_effort else effort


def _budget(
    payload: Mapping[str, Any], asked: str, conversation: Conversation, tools: Toolbox
) -> dict[str, Any] | None:
    """A thinking budget that leaves room for the answer; none where Anthropic refuses to think."""
    limit = _asked_tokens(payload)
    budget = BUDGETS.get(asked, 0)
    if limit is not None:
        budget = min(budget, max(MIN_BUDGET, limit // 2))
    refused = tools.forced or conversation.forbids_budget_thinking() or (limit is not None and limit <= MIN_BUDGET)
    return {"type": "enabled", "budget_tokens": budget} if budget and not refused else None


def _unbound(thinking: dict[str, Any] | None, betas: tuple[str, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Thinking that was produced under a history which the caller has changed since is dropped, not refused."""
    setting = thinking or {"type": "adaptive"}
    if setting.get("type") != "adaptive" or "block_binding" in setting:
        return setting, betas
    return {**setting, "block_binding": {"prefix_mismatch_behavior": "drop_block"}}, (*betas, BINDING_BETA)


def _asked_tokens(payload: Mapping[str, Any]) -> int | None:
    return payload.get("max_completion_tokens") or payload.get("max_tokens")


def _max_tokens(payload: Mapping[str, Any], traits: Traits, thinking: dict[str, Any] | None) -> int:
    if (asked := _asked_tokens(payload)) is not None:
        return asked
    budget = (thinking or {}).get("budget_tokens")
    return traits.default_max_tokens + (budget if isinstance(budget, int) else 0)


def _output_config(payload: Mapping[str, Any], form: dict[str, Any] | None, effort: str | None) -> dict[str, Any]:
    own = payload.get("output_config")
    config = {**own} if isinstance(own, dict) else {}
    if form is not None:
        config.setdefault("format", form)
    if effort is not None:
        config.setdefault("effort", effort)
    return config


def _sampling(payload: Mapping[str, Any], traits: Traits, thinking: dict[str, Any] | None) -> dict[str, Any]:
    """Temperature and its kin where the model takes them; none of them goes with thinking."""
    if traits.sampling == "none" or (thinking or {}).get("type") in ("enabled", "adaptive"):
        return {}
    temperature = payload.get("temperature")
    chosen = {
        "temperature": None if temperature is None else min(temperature, 1),
        "top_p": payload.get("top_p"),
        "top_k": payload.get("top_k"),
    }
    if traits.sampling == "one" and temperature is not None:
        chosen["top_p"] = None
    return chosen


def _stop_sequences(stop: Any) -> list[str]:
    """Without empty ones, which never stop anything."""
    found = [text for text in ([stop] if isinstance(stop, str) else stop or []) if text]
    if any(text.isspace() for text in found):
        raise unsupported("stop", "Anthropic's models do not stop at blanks or line breaks alone")
    return found


def _metadata(payload: Mapping[str, Any]) -> dict[str, str]:
    """The caller's user as an opaque id: Anthropic refuses anything that looks like an address or a number to call."""
    own = payload.get("metadata")
    named = own.get("user_id") if isinstance(own, dict) else None
    user = named or payload.get("safety_identifier") or payload.get("user")
    if not isinstance(user, str) or not user:
        return {}
    return {"user_id": user if OPAQUE_ID.fullmatch(user) else hashlib.sha256(user.encode()).hexdigest()}


def _betas(payload: Mapping[str, Any]) -> tuple[str, ...]:
    asked = payload.get("anthropic_beta")
    if asked is None:
        return ()
    if not isinstance(asked, list) or not all(isinstance(name, str) and BETA_NAME.fullmatch(name) for name in asked):
        raise invalid("anthropic_beta", "must be a list of beta names")
    return tuple(asked)


def _passed_on(payload: Mapping[str, Any], betas: tuple[str, ...]) -> dict[str, Any]:
    names = (*PASSED_ON, *PASSED_ON_WITH_BETA) if betas else PASSED_ON
    passed = {name: payload[name] for name in names if name in payload}
    tier = payload.get("service_tier")
    if tier in ("auto", "standard_only"):
        passed["service_tier"] = tier
    elif tier == "default":
        passed["service_tier"] = "standard_only"
    return passed
