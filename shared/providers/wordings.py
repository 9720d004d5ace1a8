"""Failures that providers tell in words alone: sentences seen under a status that means something else. Pure.

Structured codes come first; a sentence counts only where the status and code say no more than "bad request".
"""

from dataclasses import dataclass

from shared.errors import Ability, UpstreamAuthFailed, UpstreamContextTooLong, UpstreamError, UpstreamQuota

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


@dataclass(frozen=True, slots=True)
class Inability:
    """Like a Wording, of a model that lacks an ability."""

    ability: Ability
    phrases: tuple[str, ...]
    seen: str


INABILITIES = (
    Inability("tools", ("tool choice requires", "--enable-auto-tool-choice"), "vLLM"),
    Inability("tools", ("does not support tools",), "Ollama"),
    Inability("tools", ("tools param requires --jinja",), "llama.cpp"),
    Inability("tools", ("no endpoints found that support tool use",), "OpenRouter"),
    Inability("tools", ("tool calling", "not supported with this model"), "Groq"),
    Inability("tools", ("function calling is not enabled for this model",), "Mistral"),
    Inability("tools", ("unsupported parameter: 'tools'",), "OpenAI"),
    Inability("vision", ("at most 0 image",), "vLLM"),
    Inability("vision", ("is not a multimodal model",), "vLLM"),
    Inability("vision", ("image input is not supported",), "llama.cpp"),
    Inability("vision", ("missing data required for image input",), "Ollama"),
    Inability("vision", ("no endpoints found that support image input",), "OpenRouter"),
    Inability("vision", ("image_url is only supported by certain models",), "OpenAI"),
    Inability("vision", ("does not support image",), "LM Studio, OpenAI-compatible servers"),
    Inability("vision", ("unknown variant `image_url`",), "DeepSeek"),
)


def inability(sentence: str) -> Ability | None:
    """Return what a sentence says that the model cannot do, or None when it says no such thing."""
    text = sentence[:LONGEST_READ].lower()
    return next((row.ability for row in INABILITIES if all(phrase in text for phrase in row.phrases)), None)


def meaning(sentence: str) -> type[UpstreamError] | None:
    """Return the class of failure that a sentence means, or None when it is not a known one."""
    text = sentence[:LONGEST_READ].lower()
    return next((row.means for row in WORDINGS if all(phrase in text for phrase in row.phrases)), None)
