"""The structured results of the tools: hosts show a model only these, so they hold all that it must know."""

from pydantic import Field

from shared.domain.budgets import Period
from shared.domain.models import Layer
from shared.domain.wire import Money, Timestamp, Wire


class ChatUsage(Wire):
    """Tokens of one answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    estimated: bool


class Checks(Wire):
    """What was done with an answer besides asking for it. What was not done is null or empty."""

    verdict: str | None = Field(
        description="`confirmed`, `corrected` (this is the better answer), `upheld`, `disputed`, `unclear`, `not_checked`."
    )
    reviewer: str | None = Field(description="Model that checked it.")
    arbitrator: str | None = Field(description="Model that then decided.")
    issues: list[str] = Field(description="Mistakes that were found.")
    why: str = Field(description="Why there is no clear verdict.")
    agreed: bool | None = Field(description="Whether two models agreed.")
    steps: list[str] = Field(description="Steps to higher layers, with reasons.")
    ended: str = Field(description="`answered`, or why it went no higher.")
    added_cost_usd: Money | None


class ChatResult(Wire):
    """What `chat` gives."""

    text: str = Field(description="The answer, or what has come of it since the last call.")
    model: str | None
    model_id: str | None = Field(description="Pass it as `model` to ask the same one again.")
    provider: str | None
    layer: Layer | None
    usage: ChatUsage | None
    cost_usd: Money | None = Field(description="Checks and steps included; null when not known.")
    attempts: int = Field(description="Calls of models, checks included.")
    finish_reason: str = Field(
        description="`stop`: complete. `length`: maxTokens was reached. `unfinished`: it goes on, see `chatId`."
    )
    truncated: bool = Field(description="The answer is not complete.")
    chat_id: str | None = Field(description="Pass it to `chat` for the rest; null at the end.")
    duration_ms: int
    note: str = Field(description="What to do next, if anything.")
    checks: Checks | None


class RouteEntry(Wire):
    """A model that would be asked. Amounts are US dollars; null when not known."""

    id: str
    provider: str
    layer: Layer
    expected_cost_usd: Money | None
    most_cost_usd: Money | None
    cooling_seconds: float
    in_trouble_lately: bool


class RouteDropped(Wire):
    """A model that would not be asked, and why."""

    id: str
    layer: Layer
    reason: str


class RouteResult(Wire):
    """What `explain_route` gives."""

    summary: str
    first_choice: str | None
    lowest_layer: Layer
    highest_layer: Layer
    complexity: float = Field(description="How hard the message looks, 0 to 1.")
    complexity_sure: bool
    stays_with: str | None = Field(description="Model that the conversation is with.")
    left_usd: Money | None = Field(description="What the budgets leave; null without any.")
    attempts: list[RouteEntry] = Field(description="In order.")
    dropped: list[RouteDropped]
    more: int = Field(description="Further models in neither list.")


class ModelEntry(Wire):
    """One model, briefly. Prices are US dollars for a million tokens; null when not known."""

    id: str
    model: str
    provider: str
    layer: Layer
    available: bool
    why_not: str
    priority: int
    input_price: float | None = Field(description="US dollars for a million tokens.")
    output_price: float | None
    context_window: int | None
    capabilities: list[str]


class ModelsPage(Wire):
    """What `list_models` gives."""

    models: list[ModelEntry]
    total: int = Field(description="How many match.")
    next_cursor: str | None
    aliases: list[str] = Field([], description="On the first page: other names, with where each leads now.")


class SetModelResult(Wire):
    """What `set_model` gives."""

    model: ModelEntry = Field(description="As it is now.")


class SetLayerResult(Wire):
    """What `set_layer` gives."""

    layer: Layer
    enabled: bool
    models: list[str] = Field(description="Ids, first choice first; 100 at most.")


class UsageEntry(Wire):
    """The sums of one group; the cost is null when no price is known."""

    group: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Money | None


class BudgetEntry(Wire):
    """A budget and how it stands."""

    whose: str
    period: Period
    limit_usd: Money
    spent_usd: Money
    left_usd: Money
    resets_at: Timestamp | None


class UsageResult(Wire):
    """What `usage` gives."""

    since: Timestamp
    total: UsageEntry
    groups: list[UsageEntry]
    more: int = Field(description="Further groups.")
    budgets: list[BudgetEntry]


class CommandResult(Wire):
    """What `run_command` gives."""

    stdout: str
    stderr: str
    exit_code: int | None = Field(description="null: ended at its time-out, or in the background.")
    duration_ms: int
    timed_out: bool
    truncated: bool = Field(description="Some output is left out; see `note`.")
    cwd: str = Field(description="Directory of the shell afterwards.")
    session_id: str | None = Field(description="Of a command in the background.")
    output_id: str | None = Field(description="Where output was cut: pass it to `read_output`.")
    sandbox: str | None = Field(description="`bwrap`, `landlock` or `none`.")
    note: str = Field(description="What to do next, if anything.")
