"""What is asked, as a chat request in its canonical form. Pure."""

from typing import Any

from mcp_gateway.arguments import ChatArguments, Question


def question_of(question: Question) -> dict[str, Any]:
    """A question as a chat request in its canonical form."""
    messages: list[dict[str, Any]] = []
    if question.system:
        messages.append({"role": "system", "content": question.system})
    if question.messages:
        messages += [{"role": message.role, "content": message.content} for message in question.messages]
    else:
        messages.append({"role": "user", "content": question.message})
    options = {
        "quality": question.quality,
        "maxLayer": question.max_layer,
        "budgetUsd": question.budget_usd,
        "allowPaid": question.allow_paid or None,
        "session": question.session,
    }
    payload: dict[str, Any] = {"model": question.model, "messages": messages, "gateway": _given(options)}
    return payload | _given({"max_tokens": question.max_tokens})


def payload_of(arguments: ChatArguments) -> dict[str, Any]:
    """The chat request in its canonical form."""
    payload = question_of(arguments) | {"stream": True, "stream_options": {"include_usage": True}}
    payload["gateway"] |= _given(
        {
            "crossCheck": arguments.cross_check or None,
            "agreement": arguments.agreement,
            "escalate": arguments.escalate,
        }
    )
    return payload | _given({"temperature": arguments.temperature})


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
