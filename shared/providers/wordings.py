"""Failures that providers tell in words alone: sentences seen under a status that means something else. Pure.

Structured codes come first; a sentence counts only where the status and code say no more than "bad request".
"""

from dataclasses import dataclass

from shared.errors import UpstreamAuthFailed, UpstreamContextTooLong, UpstreamError, UpstreamQuota

LONGEST_READ = 4_000
"""Characters of a sentence that are compared."""


@dataclass(frozen=True, slots=True)
class Wording:
    """`phrases` all occur in the sentence, in lower case. `seen` names the service that sends it."""

    means: type[UpstreamError]
    phrases: tuple[str, ...]
    seen: str


WORDINGS = (
    Wording(UpstreamContextTooLong, ("maximum context length",), "OpenAI, vLLM, OpenRouter, Mistral, DeepSeek"),
    Wording(UpstreamContextTooLong, ("prompt is too long",), "Anthropic"),
    Wording(UpstreamContextTooLong, ("exceed context limit",), "Anthropic: input length and max_tokens together"),
    Wording(UpstreamContextTooLong, ("exceeds the context window",), "OpenAI's newer models"),
    Wording(UpstreamContextTooLong, ("exceeds the available context size",), "llama.cpp, llama-swap"),
    Wording(UpstreamContextTooLong, ("input token count", "exceeds the maximum number of tokens"), "Gemini"),
    Wording(UpstreamContextTooLong, ("longer than the maximum model length",), "vLLM"),
    Wording(UpstreamContextTooLong, ("maximum prompt length is",), "xAI"),
    Wording(UpstreamContextTooLong, ("reduce the length of the messages",), "Groq"),
    Wording(UpstreamContextTooLong, ("input is too long for requested model",), "Bedrock"),
    Wording(UpstreamContextTooLong, ("greater than the context length",), "LM Studio"),
    Wording(UpstreamContextTooLong, ("loaded with context length of only",), "LM Studio"),
    Wording(UpstreamContextTooLong, ("context window exceeds limit",), "MiniMax"),
    Wording(UpstreamContextTooLong, ("exceeded model token limit",), "Moonshot"),
    Wording(UpstreamContextTooLong, ("`inputs` tokens + `max_new_tokens` must be",), "Text Generation Inference"),
    Wording(UpstreamContextTooLong, ("too many tokens", "max tokens must be less than or equal to"), "Cohere"),
    Wording(UpstreamQuota, ("credit balance is too low",), "Anthropic, as 400 invalid_request_error"),
    Wording(UpstreamAuthFailed, ("api key not valid",), "Gemini, as 400 INVALID_ARGUMENT"),
    Wording(UpstreamAuthFailed, ("api key expired",), "Gemini, as 400 INVALID_ARGUMENT"),
    Wording(UpstreamError, ("organization must be verified",), "OpenAI, as 400 for some models: the key is good"),
)


def meaning(sentence: str) -> type[UpstreamError] | None:
    """Return the class of failure that a sentence means, or None when it is not a known one."""
    text = sentence[:LONGEST_READ].lower()
    return next((row.means for row in WORDINGS if all(phrase in text for phrase in row.phrases)), None)
