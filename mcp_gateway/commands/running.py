"""`mcp-gateway run`: a command as the gateway's terminal runs it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcp_gateway.commands.output import AsJson, print_json
from shared.domain.identity import LOCAL
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.domain.terminal import CommandResult
    from shared.gateway import Gateway

TIMED_OUT = 124
NOT_ALLOWED = 126
"""What shells say of a command that may not be run; 1 would be taken for the command's own."""
REFUSALS = frozenset(
    {"command_denied", "command_unparsable", "approval_denied", "approval_mismatch", "approval_required"}
)


def run(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND", help="The command; one argument is a shell line.")
    ],
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Seconds it gets; 30 by default.")] = None,
    cwd: Annotated[str | None, typer.Option(help="Directory to run it in; default: this one.")] = None,
    approval: Annotated[str | None, typer.Option(help="Id of an approval that was given for exactly this.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a command in the gateway's terminal; the exit code is the command's.

    It is 124 after a time-out, and 126 where the command policy does not let it run. The command sees the environment that the gateway allows, and an empty stdin.
    """
    import os
    import shlex

    from mcp_gateway.commands.opening import with_gateway

    line = command[0] if len(command) == 1 else shlex.join(command)
    payload: dict[str, Any] = {"command": line, "cwd": cwd or os.getcwd()}
    if timeout is not None:
        payload["timeoutSeconds"] = timeout
    if approval is not None:
        payload["approvalId"] = approval

    async def work(gateway: "Gateway") -> "CommandResult":
        return await _run(gateway, payload, show=not as_json)

    with _refusals(as_json=as_json):
        result = with_gateway(work)
    if as_json:
        print_json(result)
    if result.timed_out:
        print(
            f"error: the command did not end within {timeout or 30:g} s and was stopped; see --timeout.",
            file=sys.stderr,
        )
    sys.exit(TIMED_OUT if result.exit_code is None else result.exit_code)


@contextmanager
def _refusals(*, as_json: bool) -> Iterator[None]:
    """A refusal by the policy ends the process with a code of its own, and says how to go on."""
    from mcp_gateway.commands.failures import fail, show_object
    from shared.errors import GatewayError

    try:
        yield
    except GatewayError as error:
        if error.code not in REFUSALS:
            raise
        show_object(as_json, error)
        asked = error.details.get("approvalId") if isinstance(error.details, dict) else None
        message = error.message.partition("; then send the same request")[0]
        fail(
            message,
            *([f"once it is approved: mcp-gateway run --approval {asked} -- …"] if asked else []),
            code=NOT_ALLOWED,
        )


async def _run(gateway: "Gateway", payload: dict[str, Any], *, show: bool) -> "CommandResult":
    from shared.domain.run_events import RunFinished, RunOutput
    from shared.errors import TerminalError
    from shared.operations import dispatch
    from shared.operations.terminals import RUN_COMMAND_EVENTS

    shown = 0
    async with dispatch.open_stream(gateway, LOCAL, RUN_COMMAND_EVENTS, payload) as events:
        async for event in events:
            if isinstance(event, RunFinished):
                _own_up(event.result, shown, show)
                return event.result
            if show and isinstance(event, RunOutput):
                shown += len(event.text.encode())
                print(event.text, end="", flush=True, file=sys.stdout if event.stream == "stdout" else sys.stderr)
    raise TerminalError("The command ended without a result.")


def _own_up(result: "CommandResult", shown: int, show: bool) -> None:
    """What the result says besides; and output that came faster than it could be printed is lost, which must not go unsaid."""
    lost = result.stdout_bytes + result.stderr_bytes - shown
    if show and result.notice:
        print(visible(f"warning: {result.notice}"), file=sys.stderr)
    if show and lost > 0:
        print(f"warning: {lost} bytes of output came too fast to be shown; send it to a file.", file=sys.stderr)
