"""`mcp-gateway approvals`: the commands that wait for somebody's leave."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcp_gateway.commands.output import AsJson, print_json, print_table
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.domain.approvals import Decision

Ids = Annotated[str, typer.Argument(help="Id of the approval, from the list or the error that asked for it.")]


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(
        help="See and decide which commands may run that the policy wants confirmed.", no_args_is_help=True
    )
    app.command(name="list")(list_approvals)
    app.command()(show)
    app.command()(approve)
    app.command()(deny)
    return app


def list_approvals(as_json: AsJson = False) -> None:
    """List the commands that wait."""
    from mcp_gateway.commands.opening import call
    from shared.operations.approvals import LIST_APPROVALS

    found = call(LIST_APPROVALS, {})
    if as_json:
        print_json(found)
        return
    head = ("id", "status", "caller", "where", "directory", "reason", "command", "input", "variables")
    rows = (
        (
            one.id,
            one.status,
            one.caller_name,
            one.place,
            one.cwd or "",
            one.reason,
            visible(" ".join(one.command.split())),
            visible(" ".join((one.stdin or "").split())),
            " ".join(one.env),
        )
        for one in found.approvals
    )
    print_table(head, rows)


def show(approval_id: Ids, as_json: AsJson = False) -> None:
    """Show a command with all facts that its approval binds."""
    from mcp_gateway.commands.opening import call
    from shared.errors import NotFound
    from shared.operations.approvals import LIST_APPROVALS
    from shared.terminal.approvals import facts_shown

    one = next((one for one in call(LIST_APPROVALS, {}).approvals if one.id == approval_id), None)
    if one is None:
        raise NotFound("There is no such approval; it may have expired or been used.", code="approval_not_found")
    if as_json:
        print_json(one)
        return
    facts = {"Status": one.status, "Caller": one.caller_name, "Where": one.place, "Directory": one.cwd or "not known"}
    for name, text in {**facts, "Reason": one.reason, **facts_shown(one.model_dump())}.items():
        print(visible(f"{name}: {text}".replace("\n", "\\n")))
    print(visible(f"\n{one.command}"))


def approve(approval_id: Ids, as_json: AsJson = False) -> None:
    """Let a command run, once."""
    _decide(approval_id, "approve", as_json)


def deny(approval_id: Ids, as_json: AsJson = False) -> None:
    """Refuse a command."""
    _decide(approval_id, "deny", as_json)


def _decide(approval_id: str, decision: "Decision", as_json: bool) -> None:
    from mcp_gateway.commands.opening import call
    from shared.operations.approvals import DECIDE_APPROVAL

    payload: dict[str, Any] = {"id": approval_id, "decision": decision}
    decided = call(DECIDE_APPROVAL, payload).approval
    if as_json:
        print_json(decided)
    else:
        print(visible(f"{decided.status}: {decided.command}"))
