"""Results as a person reads them, and long output cut so that it fits a model's context. Pure."""

from dataclasses import dataclass

import orjson

from mcp_gateway.results import (
    ChatResult,
    Checks,
    CommandResult,
    ModelEntry,
    ModelsPage,
    RouteEntry,
    RouteResult,
    SetLayerResult,
    SetModelResult,
    UsageEntry,
    UsageResult,
)
from shared.terminal.visible import visible

HEAD_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Cut:
    """A text that fits, and how much of it was left out."""

    text: str
    left_out: int = 0


def size_of(text: str) -> int:
    """Bytes that a text takes in a JSON answer, which is near to what it costs a model."""
    return len(orjson.dumps(text, default=str))


def fitted(text: str, limit: int) -> Cut:
    """At most about `limit` bytes of a text: its beginning and its end, whole lines where lines are short."""
    size = size_of(text)
    if size <= limit:
        return Cut(text)
    keep = int(len(text) * limit / size)
    while True:
        cut = _cut(text, keep)
        if size_of(cut.text) <= limit * 1.05 + 200 or keep < 100:
            return cut
        keep = int(keep * 0.8)


def _cut(text: str, keep: int) -> Cut:
    head, tail = text[: int(keep * HEAD_SHARE)], text[len(text) - (keep - int(keep * HEAD_SHARE)) :]
    line_end = head.rfind("\n")
    if line_end > len(head) * 0.8:
        head = head[: line_end + 1]
    line_start = tail.find("\n") + 1
    if 0 < line_start < len(tail) * 0.2:
        tail = tail[line_start:]
    left_out = len(text) - len(head) - len(tail)
    return Cut(f"{head}\n[… {left_out:,} characters left out here …]\n{tail}", left_out)


def chat(result: ChatResult) -> str:
    """The answer, and lines on how it came about."""
    tokens = "" if result.usage is None else f", {result.usage.total_tokens} tokens"
    line = f"— {result.model} ({result.provider}, {result.layer}{tokens}, {dollars(result.cost_usd)})"
    if result.chat_id is not None:
        line = f"— {result.model or 'no model has begun to answer'}; goes on with chatId {result.chat_id}"
    return "\n".join([result.text, "", line, *checks(result.checks), *filter(None, [result.note])])


def checks(found: Checks | None) -> list[str]:
    """A line for each thing that was done with the answer."""
    if found is None:
        return []
    lines = []
    if found.agreed is not None:
        lines.append(f"— two models {'agreed' if found.agreed else 'did not agree'}")
    lines += [f"— went up: {step}" for step in found.steps]
    if found.ended not in ("", "answered"):
        lines.append(f"— went no higher: {found.ended}")
    if found.verdict is not None:
        why = f" ({found.why})" if found.why else ""
        lines.append(f"— check{_by(found)}: {found.verdict}{why}")
        lines += [f"  · {issue}" for issue in found.issues]
    if found.added_cost_usd:
        lines.append(f"— beside the answer this cost {dollars(found.added_cost_usd)}")
    return lines


def _by(found: Checks) -> str:
    names = [found.reviewer and f" by {found.reviewer}", found.arbitrator and f" decided by {found.arbitrator}"]
    return ",".join(name for name in names if name)


def route(result: RouteResult) -> str:
    """The plan, a line for each model."""
    lines = [result.summary, *(_attempt(number, entry) for number, entry in enumerate(result.attempts, 1))]
    lines += [f"not {entry.layer} {entry.id}: {entry.reason}" for entry in result.dropped]
    if result.more:
        lines.append(f"… and {result.more} more.")
    return "\n".join(lines)


def _attempt(number: int, entry: RouteEntry) -> str:
    cost = "cost not known"
    if entry.expected_cost_usd is not None and entry.most_cost_usd is not None:
        most = f", at most {dollars(entry.most_cost_usd)}" if entry.most_cost_usd else ""
        cost = f"{dollars(entry.expected_cost_usd)}{most}"
    state = f"; cooling down for {entry.cooling_seconds:g} s" if entry.cooling_seconds else ""
    return f"{number}. {entry.layer} {entry.id} ({cost}{state})"


def models(page: ModelsPage) -> str:
    """One line for each model."""
    lines = [f"{page.total} models match." if page.models else "No model matches.", *map(_model, page.models)]
    if page.next_cursor:
        lines.append(f"More: call again with cursor {page.next_cursor!r}.")
    if page.aliases:
        lines.append("Aliases: " + ", ".join(page.aliases))
    return visible("\n".join(lines))


def model_set(result: SetModelResult) -> str:
    """The model as it is now."""
    return _model(result.model) + f", priority {result.model.priority}"


def layer_set(result: SetLayerResult) -> str:
    """The layer as it is now."""
    return "\n".join([f"{result.layer} is {'on' if result.enabled else 'off'}.", *result.models])


def usage(result: UsageResult) -> str:
    """A line for the total, each group and each budget."""
    lines = [f"Since {result.since:%Y-%m-%d}: {_sum(result.total)}"]
    lines += [f"{entry.group}: {_sum(entry)}" for entry in result.groups]
    if result.more:
        lines.append(f"… and {result.more} more.")
    lines += [
        f"budget of {budget.whose} ({budget.period}): ${budget.left_usd:f} left of ${budget.limit_usd:f}"
        for budget in result.budgets
    ]
    return visible("\n".join(lines))


def _sum(entry: UsageEntry) -> str:
    tokens = entry.prompt_tokens + entry.completion_tokens
    failed = f" ({entry.failed} calls failed)" if entry.failed else ""
    return f"{entry.requests} requests{failed}, {tokens:,} tokens, {dollars(entry.cost_usd)}"


def command(result: CommandResult) -> str:
    """The output as a terminal shows it, and how the command ended."""
    if result.session_id is not None:
        return f"Started in the background, in session {result.session_id}.\n{result.note}"
    ending = "ended at its time-out" if result.timed_out else f"exit code {result.exit_code}"
    parts = [result.stdout.rstrip("\n")]
    if result.stderr:
        parts.append("[stderr]\n" + result.stderr.rstrip("\n"))
    parts.append(f"[{ending}, {result.duration_ms} ms, in {result.cwd}]")
    parts.append(result.note)
    return "\n".join(part for part in parts if part)


def dollars(cost: object) -> str:
    """A cost in words."""
    if cost is None:
        return "cost not known"
    value = float(str(cost))
    if 0 < value < 0.000_001:
        return "less than $0.000001"
    return f"${value:.6f}".rstrip("0").rstrip(".") if value else "free"


def _model(model: ModelEntry) -> str:
    if model.input_price is None or model.output_price is None:
        price = "price not known"
    elif model.input_price == model.output_price == 0:
        price = "free"
    else:
        price = f"${model.input_price:g}/${model.output_price:g} per million tokens in/out"
    able = "+".join(model.capabilities)
    state = "" if model.available else f" — not available: {model.why_not}"
    return f"{model.layer} {model.id} ({model.provider}; {able}; {price}){state}"
