"""`mcp-gateway replay`: what another policy would have made of past requests."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcp_gateway.commands.output import AsJson, on_terminal, print_json, print_table
from shared.domain.identity import LOCAL
from shared.domain.money import plain
from shared.errors import InvalidInput
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.operations.replay import ComparedCost, ReplayReport

NO_ANSWER = "(no answer)"
COSTS = ("cost then $", "now $")


def replay(
    policy: Annotated[
        Path, typer.Option(metavar="FILE", help="TOML: what is to be other than it is now. See the README.")
    ],
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Default: the first decision.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Up to there, itself not included.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many requests, the newest.")] = 10_000,
    as_json: AsJson = False,
) -> None:
    """Plan past requests again under another policy; nobody is asked. Times are dates, or dates and times, in UTC."""
    from mcp_gateway.commands.opening import with_gateway

    payload = {"policy": _read(policy), "from": start, "to": end, "limit": limit}

    async def work(gateway: "Gateway") -> "tuple[ReplayReport, int]":
        return await _replayed(gateway, payload), gateway.decisions.days

    report, days = with_gateway(work)
    if as_json:
        print_json(report)
    elif report.requests:
        _print_report(report)
    else:
        print("\n".join(_nothing(report, days)))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read as TOML: {error}") from None


async def _replayed(gateway: "Gateway", payload: dict[str, Any]) -> "ReplayReport":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from shared.operations import dispatch
    from shared.operations.replay import REPLAY_EVENTS

    columns = TextColumn("Replaying"), BarColumn(), MofNCompleteColumn(), TextColumn("requests")
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not on_terminal()) as progress:
        task = progress.add_task("replay", total=None)
        async with dispatch.open_stream(gateway, LOCAL, REPLAY_EVENTS, payload) as reports:
            async for so_far in reports:
                report = so_far
                progress.update(task, completed=report.requests)
    return report


def _print_report(report: "ReplayReport") -> None:
    print(f"{report.requests:,} requests from {report.first:%Y-%m-%d %H:%M} to {report.last:%Y-%m-%d %H:%M} (UTC)")
    print()
    cost = report.cost
    rows = [
        ("another model", "", f"{report.changed:,}"),
        ("no answer any more", "", f"{report.unanswerable:,}"),
        ("answered after all", "", f"{report.rescued:,}"),
        ("failed calls", f"{report.failed_calls_then:,}", f"{report.failed_calls_now:,}"),
        ("cost $", plain(cost.then_usd), plain(cost.now_usd) + _not_known(cost)),
    ]
    print_table(("", "then", "now"), rows, right=("then", "now"))
    if report.groups:
        _print_changes(report)
    print()
    for line in _notes(report):
        print(visible(line))


def _print_changes(report: "ReplayReport") -> None:
    print()
    groups = [
        (
            _name(group.then),
            _name(group.now),
            f"{group.requests:,}",
            plain(group.cost.then_usd),
            plain(group.cost.now_usd) + _not_known(group.cost),
        )
        for group in report.groups
    ]
    print_table(("from model", "to model", "requests", *COSTS), groups, right=("requests", *COSTS))
    print()
    examples = [
        (f"{found.at:%Y-%m-%d %H:%M:%S}", found.request_id, _name(found.then), _name(found.now), found.reason)
        for found in report.examples
    ]
    print_table(("for example", "request", "from model", "to model", "why"), examples)


def _name(model: str | None) -> str:
    return NO_ANSWER if model is None else model


def _not_known(cost: "ComparedCost") -> str:
    return f" (+{cost.not_known:,} not known)" if cost.not_known else ""


def _notes(report: "ReplayReport") -> list[str]:
    notes = list(report.not_known)
    if report.cost.not_known:
        notes.insert(0, _compared(report.cost))
    if report.unanswerable:
        notes.insert(0, f"{report.unanswerable:,} requests would have no answer, and so cost less.")
    if report.more:
        notes.insert(0, "There are older requests; --limit takes more of them, --to others.")
    if report.unreadable:
        notes.insert(0, f"{report.unreadable:,} decisions were left out: another version of the gateway wrote them.")
    return notes


def _compared(cost: "ComparedCost") -> str:
    """What can be set against each other where not every cost is known."""
    known = cost.then_usd - cost.not_known_then_usd
    them = "1 request" if cost.not_known == 1 else f"{cost.not_known:,} requests"
    return (
        f"The new cost of {them}, which came to ${plain(cost.not_known_then_usd)} then, is not known; "
        f"the others came to ${plain(known)} then and would to ${plain(cost.now_usd)} now."
    )


def _nothing(report: "ReplayReport", days: int) -> list[str]:
    if report.unreadable:
        return _notes(report)[:1]
    if not days:
        return ["There are no decisions, and none are kept: DECISION_DAYS is 0."]
    return [
        "There are no decisions in this time.",
        f'Each chat leaves one, kept for {days} days (DECISION_DAYS): ask something (`mcp-gateway chat "hello"`), '
        "or look further back with --from.",
    ]
