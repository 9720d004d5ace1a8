"""`mcp-gateway audit`: what was done by whom, and whether anybody has touched the record."""

from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from mcp_gateway.commands.failures import FAILED
from mcp_gateway.commands.output import NONE, AsJson, print_json, print_table
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.domain.audit import AuditCheck, AuditEntry

DETAILS = 120
"""Characters of an entry's details in the table; --json has all of them."""


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="Read the audit trail, and check that it is whole.", no_args_is_help=True)
    app.command(name="list")(list_entries)
    app.command()(verify)
    return app


def list_entries(
    action: Annotated[str | None, typer.Option(help="Only this action, for instance login or create_key.")] = None,
    caller: Annotated[str | None, typer.Option(help="Only what this caller did, by its id.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only what ended so: ok, or the code of an error.")] = None,
    trace: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what belongs to this trace, the answer's X-Trace-Id.")
    ] = None,
    request: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what this request did, the answer's X-Request-ID.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="From this date or time on, in ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Before this date or time.")] = None,
    before: Annotated[int | None, typer.Option(min=1, help="Only entries before this number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List entries, newest first."""
    from mcp_gateway.commands.opening import call
    from shared.operations.audit import LIST_AUDIT

    payload: dict[str, Any] = {"action": action, "caller": caller, "outcome": outcome, "limit": limit}
    payload |= {"traceId": trace, "requestId": request, "from": since, "to": until, "cursor": before}
    found = call(LIST_AUDIT, {name: value for name, value in payload.items() if value is not None}, strict=False)
    if as_json:
        print_json(found)
        return
    print_table(("number", "at", "caller", "address", "action", "outcome", "details"), map(_row, found.entries))
    if found.next_cursor is not None:
        print(f"Older ones: --before {found.next_cursor}")


def verify(as_json: AsJson = False) -> None:
    """Check the whole chain; ends with 1 when an entry was changed, added or taken away."""
    from mcp_gateway.commands.opening import call
    from shared.operations.audit import VERIFY_AUDIT

    found = call(VERIFY_AUDIT, {})
    if as_json:
        print_json(found)
    elif found.valid:
        print(f"The audit trail is whole: {found.entries} entries{_deleted(found)}.")
    else:
        print(visible(f"The audit trail is broken at entry {found.first_broken}: {found.reason}."))
    if not found.valid:
        raise typer.Exit(FAILED)


def _deleted(found: "AuditCheck") -> str:
    if found.pruned_until is None:
        return ""
    return f", after {found.pruned} deleted ones (up to {found.pruned_until:%Y-%m-%d}) for which a signed checkpoint stands"


def _row(entry: "AuditEntry") -> tuple[object, ...]:
    details = orjson.dumps(entry.details, default=str).decode()
    details = details if len(details) <= DETAILS else details[: DETAILS - 1] + "…"
    return (
        entry.sequence,
        f"{entry.at:%Y-%m-%d %H:%M:%S}",
        entry.caller,
        entry.address or NONE,
        entry.action,
        entry.outcome,
        visible(details) if entry.details else "",
    )
