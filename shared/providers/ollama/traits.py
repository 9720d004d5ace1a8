"""What an Ollama server says about a model: how long its context may be, how it thinks, what is loaded. Pure.

Sources: https://docs.ollama.com/api-reference/show-model-details, https://docs.ollama.com/api/ps
"""

import re
from dataclasses import dataclass
from typing import Any

from shared.providers.local_listings import ollama_details

PRESET = re.compile(r"^num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)
LEVELS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """One model. `longest` and `preset` are tokens of context: what it was trained for, what its Modelfile asks for.

    `thinking` holds what `think` may be; it is empty for a model that does not think, or of which nothing is known.
    """

    longest: int | None = None
    preset: int = 0
    thinking: tuple[bool | str, ...] = ()


def traits_of(shown: Any) -> Traits:
    """Traits from an answer of `POST /api/show`; what is missing in it or odd counts as unknown."""
    if not isinstance(shown, dict):
        return Traits()
    details = ollama_details(shown)
    preset = PRESET.search(shown["parameters"]) if isinstance(shown.get("parameters"), str) else None
    return Traits(
        longest=details["context"],
        preset=int(preset[1]) if preset else 0,
        thinking=_thinking(shown, "thinking" in details["abilities"]),
    )


def loaded_context(running: Any, name: str) -> int:
    """The window that a model is loaded with, from an answer of `GET /api/ps`; 0 when it is not."""
    entries = running.get("models") if isinstance(running, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") in (name, f"{name}:latest"):
            context = entry.get("context_length")
            return context if isinstance(context, int) and context > 0 else 0
    return 0


def _thinking(shown: dict[str, Any], able: bool) -> tuple[bool | str, ...]:
    """Newer servers list the values; before them only gpt-oss took levels, and it refused anything else."""
    listed = shown.get("thinking")
    values = listed.get("values") if isinstance(listed, dict) else None
    if isinstance(values, list):
        return tuple(value for value in values if isinstance(value, bool | str)) if values != [False] else ()
    if not able:
        return ()
    info = shown.get("model_info")
    family = info.get("general.architecture") if isinstance(info, dict) else None
    return LEVELS if family in ("gptoss", "gpt-oss") else (True, False)
