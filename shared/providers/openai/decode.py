"""An OpenAI-compatible provider's whole answers. Pure.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from typing import Any

import orjson

from shared.domain.chat import Completion
from shared.domain.usage import Usage
from shared.errors import UpstreamBadAnswer
from shared.providers.emptiness import empty_answer, not_json
from shared.providers.openai import errors
from shared.providers.openai.repairs import repair_choice

ANSWER_FIELDS = (
    "content",
    "tool_calls",
    "reasoning_content",
    "reasoning",
    "refusal",
    "function_call",
    "audio",
    "images",
)
"""Where a message tells something. `reasoning_details` alone are sealed, and nothing that a caller could read."""


def completion(provider: str, body: bytes, api_model_name: str, *, secret: str = "") -> Completion:
    """A whole answer. Raises UpstreamError when it isn't one, or an empty one, whatever its status said."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise not_json(provider, body, error) from None
    if (reported := errors.reported(answer)) is not None:
        raise errors.from_event(provider, reported, usage=errors.usage_in(answer), secret=secret)
    if not isinstance(answer, dict):
        raise UpstreamBadAnswer(f"{provider} sent an answer of the wrong shape.")
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not all(_is_choice(choice) for choice in choices):
        raise UpstreamBadAnswer(f"{provider} sent an answer without choices.", usage=errors.usage_in(answer))
    if not any(has_content(choice["message"]) for choice in choices):
        reasons = [str(choice.get("finish_reason")) for choice in choices]
        empty = empty_answer(provider, reasons, usage=answer.get("usage"))
        if empty is not None:
            raise empty
    for choice in choices:
        repair_choice(choice)
    answer["model"] = api_model_name
    used = Usage.from_answer(answer)
    return Completion(answer, used if used.prompt or used.completion else None)


def has_content(message: Any) -> bool:
    """Whether a message, or a piece of one, holds some of an answer."""
    return isinstance(message, dict) and any(message.get(name) for name in ANSWER_FIELDS)


def _is_choice(choice: Any) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("message"), dict)
