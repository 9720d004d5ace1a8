"""The structured results of the tools: hosts show a model only these, so they hold all that it must know."""

from pydantic import Field

from shared.domain.models import Layer
from shared.domain.wire import Money, Wire


class ChatUsage(Wire):
    """Tokens of one answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    estimated: bool = Field(description="The provider did not count; these are guesses.")


class ChatResult(Wire):
    """What `chat` gives."""

    text: str = Field(description="The answer.")
    model: str = Field(description="The model that answered, as its provider calls it.")
    model_id: str = Field(description="Its id in this gateway; pass it as `model` to ask the same one again.")
    provider: str
    layer: Layer = Field(description="L0 free, L1 cheap, L2 balanced, L3 premium.")
    usage: ChatUsage | None = Field(description="null when the answer was cut short before it was counted.")
    cost_usd: Money | None = Field(description="US dollars; null when not known.")
    attempts: int = Field(description="Models tried until this one answered.")
    finish_reason: str = Field(
        description="`stop`: complete. `length`: maxTokens was reached. `time_limit`, `size_limit`: the gateway stopped it."
    )
    truncated: bool = Field(description="The answer is not complete.")
    duration_ms: int
    note: str = Field(description="What to do about an incomplete answer; empty otherwise.")


class ModelEntry(Wire):
    """One model, briefly. Prices are US dollars for a million tokens; null when not known."""

    id: str
    model: str = Field(description="The provider's own name for it.")
    provider: str
    layer: Layer
    available: bool = Field(description="It can be used now.")
    why_not: str = Field(description="Why it is not available; empty otherwise.")
    priority: int = Field(description="Its place in the layer; 0 is asked first.")
    input_price: float | None
    output_price: float | None
    context_window: int | None = Field(description="Tokens.")
    capabilities: list[str] = Field(description="Of general, code, reasoning, vision, tools.")


class ModelsPage(Wire):
    """What `list_models` gives."""

    models: list[ModelEntry] = Field(description="By layer, then in the order in which they are asked.")
    total: int = Field(description="How many match, on all pages.")
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class CommandResult(Wire):
    """What `run_command` gives."""

    stdout: str
    stderr: str
    exit_code: int | None = Field(description="0 for success; null when it was ended at its time-out.")
    duration_ms: int
    timed_out: bool = Field(description="It was ended, with all its children, because its time was up.")
    truncated: bool = Field(description="Some of the output is left out; the note says how to read it.")
    cwd: str = Field(description="Directory of the shell afterwards.")
    note: str = Field(description="How to read what was left out, or what to do after a time-out; empty otherwise.")
