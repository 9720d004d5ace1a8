"""`mcp-gateway usage`: what was spent, with a bar for each day or group."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_gateway.commands.bars import bars
from mcp_gateway.commands.output import GAP, AsJson, on_terminal, print_json, print_table
from mcp_gateway.commands.tags import tag_of
from shared.domain.identity import LOCAL
from shared.domain.money import plain
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.operations.usage import UsageGroup, UsageReport

NUMBERS = ("requests", "failed calls", "tokens in", "out", "cost $", "unpriced")
TIMES = frozenset({"day", "hour"})
LONGEST_BAR = 40
SHORTEST_BAR = 8
PIPED_BAR = 20


def usage(
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Default: 30 days ago.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Up to there, itself not included.")] = None,
    by: Annotated[
        str, typer.Option(help="day, hour, model, layer, provider, key, purpose, outcome or tag:NAME.")
    ] = "day",
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    layer: Annotated[str | None, typer.Option(help="Only this layer, L0 to L3.")] = None,
    key: Annotated[str | None, typer.Option(help="Only this caller, as `--by key` shows it.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="NAME=VALUE", help="Only what has this tag.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was used and what it cost. Times are dates, or dates and times, in UTC."""
    from mcp_gateway.commands.opening import with_gateway
    from shared.operations import dispatch
    from shared.operations.usage import QUERY_USAGE
    from shared.operations.usage_csv import csv_of

    if as_csv and as_json:
        raise typer.BadParameter("it is either --csv or --json.")
    payload = {"from": start, "to": end, "groupBy": by, "model": model, "provider": provider}
    payload |= {"layer": layer, "key": key, "tag": None if tag is None else ":".join(tag_of(tag))}

    async def work(gateway: "Gateway") -> "tuple[UsageReport, bool]":
        report = await dispatch.call(gateway, LOCAL, QUERY_USAGE, payload)
        return report, gateway.configuration.current.enable_cost_tracking

    report, tracking = with_gateway(work)
    if as_json:
        print_json(report)
    elif as_csv:
        sys.stdout.write(csv_of(report))
    elif report.total.attempts:
        _print_report(report)
    else:
        print("\n".join(_nothing(report, tracking)))


def _print_report(report: "UsageReport") -> None:
    groups = _in_order(report)
    columns = (report.group_by, *(NUMBERS if report.total.unpriced else NUMBERS[:-1]))
    rows = [row[: len(columns)] for row in _rows([*groups, report.total])]
    of, amounts = _amounts(groups)
    drawn = [*bars(amounts, _room(columns, rows)), ""]
    print_table((*columns, f"by {of}"), [(*row, bar) for row, bar in zip(rows, drawn, strict=True)], right=NUMBERS)
    for line in _notes(report):
        print(visible(line))


def _amounts(groups: "Sequence[UsageGroup]") -> tuple[str, list[Decimal]]:
    """What the bars show: cost, or requests where nothing had a cost."""
    costs = [group.cost_usd or Decimal(0) for group in groups]
    return ("cost", costs) if any(costs) else ("requests", [Decimal(group.requests) for group in groups])


def _in_order(report: "UsageReport") -> "list[UsageGroup]":
    """Times as they follow each other, days without any use too; other groups the most expensive first."""
    if report.group_by not in TIMES:
        return sorted(report.groups, key=lambda group: (-(group.cost_usd or 0), -group.requests, group.group))
    if report.group_by != "day":
        return report.groups
    known = {group.group: group for group in report.groups}
    first, last = date.fromisoformat(report.groups[0].group), date.fromisoformat(report.groups[-1].group)
    days = (str(first + timedelta(days=number)) for number in range((last - first).days + 1))
    return [known.get(day) or _unused(day, report.total) for day in days]


def _unused(day: str, like: "UsageGroup") -> "UsageGroup":
    return like.model_copy(update=dict.fromkeys(type(like).model_fields, 0) | {"group": day})


def _rows(groups: "Sequence[UsageGroup]") -> Iterator[tuple[str, ...]]:
    """The cells of each group; all costs get as many decimals as the longest needs, so that the points align."""
    costs = [group.cost_usd for group in groups]
    known = [plain(Decimal(cost)) for cost in costs if cost is not None]
    decimals = max((len(text.partition(".")[2]) for text in known), default=0)
    for group, cost in zip(groups, costs, strict=True):
        numbers = (group.requests, group.failed, group.prompt_tokens, group.completion_tokens)
        shown = "not known" if cost is None else f"{cost:.{decimals}f}"
        flag = f"+{group.unpriced}" if group.unpriced else ""
        yield group.group or "(none)", *(f"{number:,}" for number in numbers), shown, flag


def _room(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The width that the table leaves to the bars."""
    if not on_terminal():
        return PIPED_BAR
    taken = sum(max(map(len, column)) + GAP for column in zip(columns, *rows, strict=True))
    return min(max(shutil.get_terminal_size().columns - taken, SHORTEST_BAR), LONGEST_BAR)


def _notes(report: "UsageReport") -> list[str]:
    total = report.total
    notes = []
    if total.overhead_usd:
        share = plain(total.overhead_usd)
        notes.append(f"${share} of this went to failed calls, hedges, reviews and the like; it is counted above.")
    if total.unpriced:
        calls = (
            "1 call is not known, so it is"
            if total.unpriced == 1
            else f"{total.unpriced} calls is not known, so they are"
        )
        notes.append(
            f"The price of {calls} not in the cost; `mcp-gateway usage --by model` shows whose. Give those models their "
            "prices with PUT /v1/models/ID (pricePer1kInputTokens, pricePer1kOutputTokens)."
        )
    return ["", *notes] if notes else []


def _nothing(report: "UsageReport", tracking: bool) -> list[str]:
    lines = [f"Nothing was used from {report.from_:%Y-%m-%d %H:%M} to {report.to:%Y-%m-%d %H:%M} (UTC)."]
    if not tracking:
        lines.append("Nothing is being written down either: ENABLE_COST_TRACKING is off.")
    else:
        lines.append('Ask something (`mcp-gateway chat "hello"`), or look further back with --from.')
    return lines
