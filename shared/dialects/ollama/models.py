"""Models as Ollama's API lists and describes them. Pure.

Source: https://docs.ollama.com/api/tags, https://docs.ollama.com/api-reference/show-model-details
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

from shared.domain.models import Model

VERSION = "0.12.6"
"""The version of Ollama whose API this is: clients ask for it, and refuse one that is too old for them."""

ARCHITECTURE = "gateway"


def tag_of(model: Model) -> dict[str, Any]:
    """The entry of a model in the list. Nothing of it is on this disk: its size is 0."""
    return {
        "name": model.id,
        "model": model.id,
        "modified_at": _modified(model),
        "size": 0,
        "digest": hashlib.sha256(model.id.encode()).hexdigest(),
        "details": _details(model),
    }


def shown(model: Model) -> dict[str, Any]:
    """What is known of a model: what it can do, and the size of its context window."""
    info: dict[str, Any] = {"general.architecture": ARCHITECTURE, "general.basename": model.id}
    if model.context_window:
        info[f"{ARCHITECTURE}.context_length"] = model.context_window
    return {
        "license": "",
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _details(model),
        "model_info": info,
        "capabilities": _abilities(model),
        "modified_at": _modified(model),
    }


def _abilities(model: Model) -> list[str]:
    """In Ollama's words. Tools may be tried where it is not known whether the model takes them."""
    able = model.capabilities
    found = {"tools": able.tools is not False, "vision": able.vision is True, "thinking": able.reasoning}
    return ["completion", *(name for name, has in found.items() if has)]


def _details(model: Model) -> dict[str, Any]:
    family = model.owned_by or model.provider
    return {
        "parent_model": "",
        "format": "",
        "family": family,
        "families": [family],
        "parameter_size": "",
        "quantization_level": "",
    }


def _modified(model: Model) -> str:
    return datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
