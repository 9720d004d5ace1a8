"""What local model servers say about themselves, read into found models. Pure; anything of another shape is refused.

Sources: OpenAI's `GET /v1/models`; Ollama's docs/api.md; LM Studio's REST API v0; llama.cpp's tools/server/README.md;
vLLM's `ModelCard`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.models import Capabilities
from shared.providers.base import FoundModel

MAX_MODELS = 500
OWNERS: Mapping[str, str] = {
    "llamacpp": "llama.cpp",
    "llama-swap": "llama-swap",
    "vllm": "vllm",
    "sglang": "sglang",
}
NOT_FOR_CHAT = re.compile(r"embed|rerank|minilm|whisper|\bbge\b|\be5\b|\bgte\b|\btts\b", re.IGNORECASE)
CODE = re.compile(r"code|codestral|devstral|starcoder", re.IGNORECASE)
REASONING = re.compile(r"\br1\b|qwq|gpt-oss|thinking|reasoning", re.IGNORECASE)

Entries = list[dict[str, Any]]


def openai_entries(listing: Any) -> Entries | None:
    """The entries of an OpenAI list of models. None for anything else, and for a gateway of our own kind."""
    if not isinstance(listing, dict) or listing.get("object") != "list" or "data" not in listing:
        return None
    entries = listing["data"] or []  # Ollama without models says null
    if not isinstance(entries, list) or not all(_named(entry, "id") for entry in entries):
        return None
    if any("apiModelName" in entry or "virtual" in entry for entry in entries):
        return None
    return entries[:MAX_MODELS]


def kind_of(entries: Entries) -> str:
    """The server that such entries come from; empty where they don't tell."""
    for entry in entries:
        if known := OWNERS.get(str(entry.get("owned_by"))):
            return known
        if "max_model_len" in entry:
            return "vllm"
    return ""


def plain_models(entries: Entries, server: str) -> tuple[FoundModel, ...]:
    """Models of a server that lists names only, with vLLM's context where it is there."""
    return tuple(
        FoundModel(
            name=entry["id"],
            context_window=_positive(entry.get("max_model_len")),
            capabilities=by_name(entry["id"]).model_copy(update=_told(entry)),
            served_by=server,
        )
        for entry in _for_chat(entries)
    )


def _told(entry: Mapping[str, Any]) -> dict[str, bool]:
    """The abilities that an entry tells of, as OpenRouter's and Mistral's do, and the servers that follow them."""
    told: dict[str, bool] = {}
    parameters, seen = entry.get("supported_parameters"), _at(entry, "architecture", "input_modalities")
    if isinstance(parameters, list):
        told["tools"] = "tools" in parameters
    if isinstance(seen, list):
        told["vision"] = "image" in seen
    for name, ability in (("function_calling", "tools"), ("vision", "vision")):
        if isinstance(value := _at(entry, "capabilities", name), bool):
            told[ability] = value
    return told


def llama_cpp_models(entries: Entries, props: Any, server: str) -> tuple[FoundModel, ...]:
    """llama.cpp's, with what its /props says: the context that is set, vision, and tools in the template."""
    props = props if isinstance(props, dict) else {}
    context = _positive(_at(props, "default_generation_settings", "n_ctx"))
    return tuple(
        FoundModel(
            name=entry["id"],
            context_window=context
            or _positive(_at(entry, "meta", "n_ctx"))
            or _positive(_at(entry, "meta", "n_ctx_train")),
            capabilities=by_name(entry["id"]).model_copy(
                update={
                    **_told(entry),
                    **_known("vision", _at(props, "modalities", "vision")),
                    **_known("tools", _at(props, "chat_template_caps", "supports_tools")),
                }
            ),
            served_by=server,
        )
        for entry in _for_chat(entries)
    )


def ollama_entries(tags: Any) -> Entries | None:
    """The models of Ollama's /api/tags that run on its own machine; its cloud models may cost money."""
    models = tags.get("models") if isinstance(tags, dict) else None
    if not isinstance(models, list) or not all(_named(entry, "name") and "digest" in entry for entry in models):
        return None
    return [entry for entry in models[:MAX_MODELS] if not entry.get("remote_host") and not entry.get("remote_model")]


def ollama_details(shown: Any) -> dict[str, Any]:
    """The two facts of /api/show that we want: it is long, and kept for every model."""
    shown = shown if isinstance(shown, dict) else {}
    info = shown.get("model_info")
    info = info if isinstance(info, dict) else {}
    return {
        "context": _positive(info.get(f"{info.get('general.architecture')}.context_length")),
        "abilities": _strings(shown.get("capabilities")),
    }


def ollama_model(entry: Mapping[str, Any], details: Mapping[str, Any] | None, server: str) -> FoundModel | None:
    """One of Ollama's with what `ollama_details` picked out; None for one that doesn't chat."""
    name = entry["name"]
    details = details or {}
    abilities = details.get("abilities", ())
    if "completion" not in abilities if abilities else NOT_FOR_CHAT.search(name):
        return None
    guessed = by_name(name)
    known = {name: name in abilities for name in ("vision", "tools")} if abilities else {}
    known["reasoning"] = "thinking" in abilities or guessed.reasoning
    return FoundModel(
        name=name,
        context_window=details.get("context"),
        capabilities=guessed.model_copy(update=known),
        served_by=server,
    )


def lm_studio_models(listing: Any, server: str) -> tuple[FoundModel, ...] | None:
    """LM Studio's /api/v0/models; None when it isn't that."""
    entries = listing.get("data") if isinstance(listing, dict) else None
    if not isinstance(entries, list) or not all(_named(entry, "id") and _named(entry, "type") for entry in entries):
        return None
    return tuple(
        FoundModel(
            name=entry["id"],
            context_window=_positive(entry.get("loaded_context_length")) or _positive(entry.get("max_context_length")),
            capabilities=by_name(entry["id"]).model_copy(
                update={
                    "vision": entry["type"] == "vlm",
                    "tools": True if "tool_use" in _strings(entry.get("capabilities")) else None,
                }
            ),
            served_by=server,
        )
        for entry in entries[:MAX_MODELS]
        if entry["type"] in ("llm", "vlm")
    )


def by_name(name: str) -> Capabilities:
    """What a name lets one guess, where the server doesn't say."""
    return Capabilities(code=bool(CODE.search(name)), reasoning=bool(REASONING.search(name)))


def _known(ability: str, value: Any) -> dict[str, bool]:
    return {ability: value} if isinstance(value, bool) else {}


def _for_chat(entries: Entries) -> Iterable[dict[str, Any]]:
    return (entry for entry in entries if not NOT_FOR_CHAT.search(entry["id"]))


def _named(entry: Any, key: str) -> bool:
    name = entry.get(key) if isinstance(entry, dict) else None
    return isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable()


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 100_000_000 else None
