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


class Checks(Wire):
    """What was done with an answer besides asking for it."""

    verdict: str | None = Field(
        description="Of the check: `confirmed`, `corrected` (this is the better answer), `upheld`, `disputed` (nobody "
        "could decide), `unclear`, `not_checked`; null without one."
    )
    reviewer: str | None = Field(description="Id of the model that checked it; null without one.")
    arbitrator: str | None = Field(description="Id of the model that then decided; null without one.")
    issues: list[str] = Field(description="Mistakes that the reviewing model found.")
    why: str = Field(description="Why there is no clear verdict; empty otherwise.")
    agreed: bool | None = Field(description="Whether two models agreed; null when two were not heard.")
    steps: list[str] = Field(description="Each step to a higher layer, with its reason.")
    ended: str = Field(description="`answered`, or why it went no higher; empty without a step.")
    added_cost_usd: Money | None = Field(description="What all this cost beside the answer; null when not known.")


class ChatResult(Wire):
    """What `chat` gives."""

    text: str = Field(description="The answer.")
    model: str = Field(description="The model that answered, as its provider calls it.")
    model_id: str = Field(description="Its id in this gateway; pass it as `model` to ask the same one again.")
    provider: str
    layer: Layer = Field(description="L0 free, L1 cheap, L2 balanced, L3 premium.")
    usage: ChatUsage | None = Field(description="null when it was not counted, as of an answer that was cut short.")
    cost_usd: Money | None = Field(description="US dollars, checks and steps included; null when not known.")
    attempts: int = Field(description="Calls of models until this answer, checks included.")
    finish_reason: str = Field(
        description="`stop`: complete. `length`: maxTokens was reached. `time_limit`, `size_limit`: the gateway stopped it."
    )
    truncated: bool = Field(description="The answer is not complete.")
    duration_ms: int
    note: str = Field(description="What to do about an answer that is incomplete or could be better; empty otherwise.")
    checks: Checks | None = Field(description="null when nothing but the answer was asked for.")


class RouteEntry(Wire):
    """A model that would be asked. Amounts are US dollars; null when not known."""

    id: str
    provider: str
    layer: Layer
    expected_cost_usd: Money | None = Field(description="For an answer of usual length.")
    most_cost_usd: Money | None
    cooling_seconds: float = Field(description="0 when it can be asked now.")
    in_trouble_lately: bool


class RouteDropped(Wire):
    """A model that would not be asked, and why."""

    id: str
    layer: Layer
    reason: str


class RouteResult(Wire):
    """What `explain_route` gives."""

    summary: str
    first_choice: str | None = Field(description="Id of the model that would be asked first.")
    lowest_layer: Layer = Field(description="From this layer …")
    highest_layer: Layer = Field(description="… to this one it may go.")
    complexity: float = Field(description="How hard the message looks, 0 to 1.")
    complexity_sure: bool
    stays_with: str | None = Field(description="The model that the conversation is with already.")
    left_usd: Money | None = Field(description="What the budgets leave; null without any.")
    attempts: list[RouteEntry] = Field(description="In the order in which they would be asked.")
    dropped: list[RouteDropped]
    more: int = Field(description="How many further models are in neither list, to keep this short.")


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
    exit_code: int | None = Field(
        description="0 for success; null when it was ended at its time-out, or goes on in the background."
    )
    duration_ms: int
    timed_out: bool = Field(description="It was ended, with all its children, because its time was up.")
    truncated: bool = Field(description="Some of the output is left out; the note says how to read it.")
    cwd: str = Field(description="Directory of the shell afterwards; empty in the background.")
    session_id: str | None = Field(
        description="Of a command in the background: pass it to `read_terminal` and `close_terminal`."
    )
    sandbox: str | None = Field(description="What kept it from the rest of the machine: `bwrap`, `landlock`, `none`.")
    note: str = Field(description="How to read what was left out, or how to go on; empty otherwise.")
