"""Prompts that people can pick in their client: each sets a model to a task with our tools."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from mcp import MCPError
from mcp.types import INVALID_PARAMS, GetPromptResult, PromptMessage, TextContent
from mcp.types import Prompt as PromptInfo
from mcp.types import PromptArgument as ArgumentInfo

LONGEST = 20_000
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """What a person fills in; `values` names the kind of known values, for completion."""

    name: str
    description: str
    required: bool = False
    values: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt; `write` makes its text of what was filled in, which names these `tools`."""

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    tools: tuple[str, ...]
    write: Callable[[Values], str]

    def info(self) -> PromptInfo:
        """What hosts are told of it."""
        arguments = [
            ArgumentInfo(name=found.name, description=found.description, required=found.required)
            for found in self.arguments
        ]
        return PromptInfo(name=self.name, title=self.title, description=self.description, arguments=arguments)


def offered(tools: Collection[str]) -> "Mapping[str, Prompt]":
    """The prompts for a client that gets these tools."""
    return {name: prompt for name, prompt in PROMPTS.items() if all(tool in tools for tool in prompt.tools)}


def written(
    prompts: "Mapping[str, Prompt]", name: str, given: Values, told: Callable[[str], str] = str
) -> GetPromptResult:
    """One of these prompts with its arguments filled in; `told` gives the tools the names that the client has. Raises MCPError that names what is wrong, and never a value."""
    if (prompt := prompts.get(name)) is None:
        there = f"there are {', '.join(prompts)}" if prompts else "there are none here"
        if name in PROMPTS:
            raise _wrong(f"The prompt '{name}' is not offered here: some of its tools are not; {there}.")
        raise _wrong(f"There is no prompt '{name[:100]}'; {there}.")
    known = {argument.name for argument in prompt.arguments}
    if strange := given.keys() - known:
        raise _wrong(f"'{min(strange)[:100]}' is no argument of {name}; it takes {', '.join(sorted(known))}.")
    for argument in prompt.arguments:
        if argument.required and not given.get(argument.name, "").strip():
            raise _wrong(f"The argument '{argument.name}' of {name} is required: {argument.description}")
        if len(given.get(argument.name, "")) > LONGEST:
            raise _wrong(f"The argument '{argument.name}' of {name} is longer than {LONGEST:,} characters.")
    text = prompt.write({name: value.strip() for name, value in given.items() if value.strip()})
    return GetPromptResult(
        description=prompt.description,
        messages=[PromptMessage(role="user", content=TextContent(type="text", text=told(text)))],
    )


def _wrong(message: str) -> MCPError:
    return MCPError(INVALID_PARAMS, message)


def _compare(values: Values) -> str:
    models = values.get("models")
    who = (
        f"these models: {models}"
        if models
        else "three models of different layers that `list_models` shows as available"
    )
    return (
        f"Ask {who} the same question with the tool `chat` (waitSeconds 0 begins each at once; then fetch each answer by "
        "its chatId), and compare: what they agree on, where they differ and who is right, what each cost and how long "
        f"it took. Say which you would use for such questions.\n\nThe question:\n{values['question']}"
    )


def _choose(values: Values) -> str:
    budget = f" It may cost {values['budget']}." if "budget" in values else ""
    return (
        f"Which model should do this?{budget} Look at `list_models` (context window, capabilities, price) and at "
        "`explain_route` for the task, name the cheapest that is good enough with its id, say why, and what a stronger "
        f"one would cost. Ask nobody yet.\n\nThe task:\n{values['task']}"
    )


def _diagnose(values: Values) -> str:
    symptom = f" What is wrong: {values['symptom']}" if "symptom" in values else ""
    return (
        f"Find out how the host {values['host']} is.{symptom}\n"
        "See `list_terminals` for a saved connection of that name, else `open_terminal` with type ssh. Only look, change "
        "nothing: uptime and load, memory, disks, failed services, the last errors in the logs, who is listening; "
        "several commands in one `run_command` with the sessionId. Then close the session, and tell me in a few lines "
        "what is healthy, what is not, the likely cause, and which commands would mend it."
    )


def _review(values: Values) -> str:
    days = values.get("days", "7")
    return (
        f"Review what this gateway has spent in the last {days} days: the tool `usage` with days {days}, grouped by "
        "model, then by day. Name what costs most, what failed often, and which of it a cheaper model or layer "
        "(`list_models`, `explain_route`) could do; say how the budgets stand. Change nothing without asking me."
    )


PROMPTS: Mapping[str, Prompt] = {
    prompt.name: prompt
    for prompt in (
        Prompt(
            name="compare_models",
            title="Compare models",
            description="Ask several models the same question, and compare answers, costs and times.",
            arguments=(
                Argument(name="question", description="What to ask them.", required=True),
                Argument(name="models", description="Their ids, comma-separated.", values="models"),
            ),
            tools=("chat", "list_models"),
            write=_compare,
        ),
        Prompt(
            name="choose_model",
            title="Choose a model",
            description="Find the cheapest model that is good enough for a task, without asking any.",
            arguments=(
                Argument(name="task", description="What it is to do.", required=True),
                Argument(name="budget", description="What it may cost, e.g. $0.05."),
            ),
            tools=("list_models", "explain_route"),
            write=_choose,
        ),
        Prompt(
            name="diagnose_host",
            title="Diagnose a host",
            description="Look at how a machine is, over SSH, without changing anything.",
            arguments=(
                Argument(
                    name="host", description="A saved connection or a host name.", required=True, values="connections"
                ),
                Argument(name="symptom", description="What seems to be wrong."),
            ),
            tools=("list_terminals", "open_terminal", "run_command"),
            write=_diagnose,
        ),
        Prompt(
            name="review_spend",
            title="Review spending",
            description="See what was spent on which models, and where it could be less.",
            arguments=(Argument(name="days", description="How many days back; 7 unless given.", values="days"),),
            tools=("usage", "list_models", "explain_route"),
            write=_review,
        ),
    )
}
"""In the order in which hosts list them."""
