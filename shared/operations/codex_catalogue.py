"""The catalogue of models as Codex reads it from `GET /v1/models?client_version=`: what each can do, and its first instructions.

Source: `ModelInfo` in codex-rs/protocol/src/openai_models.rs of github.com/openai/codex. Codex takes no more than 1 MiB.
"""

from typing import Literal

from pydantic import ConfigDict

from shared.domain.models import Model
from shared.domain.wire import Wire

MOST = 100
"""Models in a catalogue."""

INSTRUCTIONS = """\
You are a coding agent in a terminal. You work with the user in their project until the task is done.

- Look before you change: read the files that matter, search with `rg`, and follow the conventions and instructions (such as
  AGENTS.md) that you find. Do not guess at what a tool can tell you.
- Change no more than the task needs, mend causes rather than symptoms, and keep what the user has changed themselves. Never
  revert, commit or delete what you were not asked to.
- Edit files with `apply_patch` where you have it. Say in one sentence what you are about to do before a group of commands.
- Run the project's own checks on what you changed. Report failures as they are.
- If something is unclear and a wrong guess would cost much, ask; else state the assumption and go on.
- Answer briefly, in the user's language: what changed, where (`path:line`), how it was checked, and what is left.
"""

EFFORTS = {"low": "Quick, for simple tasks", "medium": "Balanced", "high": "Thorough, for hard tasks"}


class CodexWire(Wire):
    """A value with the names that Codex has for its fields."""

    model_config = ConfigDict(alias_generator=None)


class Effort(CodexWire):
    """How much a model may think."""

    effort: str
    description: str


class Truncation(CodexWire):
    """How much of a tool's output a model gets."""

    mode: Literal["tokens"] = "tokens"
    limit: int = 10_000


class CodexModel(CodexWire):
    """A model in Codex's picker."""

    slug: str
    display_name: str
    description: str
    default_reasoning_level: str | None
    supported_reasoning_levels: list[Effort]
    shell_type: Literal["unified_exec"] = "unified_exec"
    visibility: Literal["list"] = "list"
    supported_in_api: Literal[True] = True
    priority: int
    upgrade: None = None
    availability_nux: None = None
    base_instructions: str = INSTRUCTIONS
    supports_reasoning_summaries: bool
    support_verbosity: Literal[False] = False
    default_verbosity: None = None
    supports_search_tool: Literal[False] = False
    apply_patch_tool_type: Literal["freeform"] = "freeform"
    truncation_policy: Truncation = Truncation()
    supports_parallel_tool_calls: Literal[True] = True
    context_window: int | None
    experimental_supported_tools: tuple[str, ...] = ()
    input_modalities: list[str]
    service_tiers: tuple[str, ...] = ()
    use_responses_lite: Literal[False] = False


def codex_model(model: Model, shown: str, priority: int) -> CodexModel:
    """The entry of a model under its id."""
    can = model.capabilities
    efforts = [Effort(effort=effort, description=text) for effort, text in EFFORTS.items()] if can.reasoning else []
    return CodexModel(
        slug=model.id,
        display_name=shown,
        description=f"{model.layer}, {model.provider}",
        default_reasoning_level="medium" if efforts else None,
        supported_reasoning_levels=efforts,
        priority=priority,
        supports_reasoning_summaries=bool(efforts),
        context_window=model.context_window,
        input_modalities=["text"] if can.vision is False else ["text", "image"],
    )
