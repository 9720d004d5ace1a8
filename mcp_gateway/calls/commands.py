"""A command: its output told as progress, then cut to what a model can take."""

from typing import Any

from mcp.types import InputRequiredResult

from mcp_gateway.arguments import MAX_COMMAND_SECONDS, RunCommandArguments
from mcp_gateway.calls import leave
from mcp_gateway.calls.bounds import bounded
from mcp_gateway.calls.call import Call
from mcp_gateway.rendering import Cut, fitted
from mcp_gateway.results import CommandResult
from shared.domain import terminal
from shared.domain.run_events import RunBegun, RunFinished, RunOutput
from shared.errors import TerminalError
from shared.operations import dispatch
from shared.operations.terminals import RUN_COMMAND_EVENTS

TAIL = 2_000
"""Characters of running output that progress tells."""
TOO_LONG = (
    "The command was ended, if it had begun at all. Do longer work in the background, and see with `open_terminal` whether "
    "the host answers."
)


async def run(call: Call, arguments: RunCommandArguments) -> CommandResult | InputRequiredResult:
    """Run it, if need be once the user has agreed."""
    payload = payload_of(call, arguments)

    async def work(given: leave.Given) -> CommandResult:
        async with bounded(call, TOO_LONG):
            return await _ran(call, {**payload, **given.fields})

    needed = 0 if arguments.background else arguments.timeout_seconds
    return await leave.with_leave(call, _shown(arguments), work, arguments.approval_id, needed=needed)


def _shown(arguments: RunCommandArguments) -> str:
    """All that the user agrees to: the command, and what it is given."""
    variables = [f"{name}={value}" for name, value in sorted((arguments.env or {}).items())]
    stdin = [] if arguments.stdin is None else ["with this standard input:", arguments.stdin]
    asks = ["as root (sudo):"] if arguments.sudo else []
    return "\n".join([*asks, arguments.command, *(["with these variables:", *variables] if variables else []), *stdin])


async def _ran(call: Call, payload: dict[str, Any]) -> CommandResult:
    """Run it, tell the end of its output while it runs, and give what there is."""
    tail = ""
    async with dispatch.open_stream(call.gateway, call.caller, RUN_COMMAND_EVENTS, payload) as events:
        async for event in events:
            if isinstance(event, RunOutput):
                tail = (tail + event.text)[-TAIL:]
                call.progress.say(tail)
            elif isinstance(event, RunFinished):
                return _result(call, payload["command"], event.result)
            elif isinstance(event, RunBegun):
                return _begun(event.session.id)
    raise TerminalError("The command ended without a result.")


def payload_of(call: Call, arguments: RunCommandArguments) -> dict[str, Any]:
    """The request of the operation."""
    without_limit = {"timeout_seconds"} if arguments.background else set()
    payload = arguments.model_dump(by_alias=True, exclude_none=True, exclude=without_limit)
    if arguments.session_id is None and arguments.connection is None:
        payload["cwd"] = call.directory(arguments.cwd)
    return payload


def _begun(session_id: str) -> CommandResult:
    return CommandResult(
        stdout="",
        stderr="",
        exit_code=None,
        duration_ms=0,
        timed_out=False,
        truncated=False,
        cwd="",
        session_id=session_id,
        output_id=None,
        sandbox=None,
        note=f"It goes on. Call read_terminal with sessionId {session_id}, cursor 0 and waitSeconds for its output "
        "(waitFor exit for its end and exit code), send_to_terminal with signal INT to interrupt it, close_terminal to "
        "end it.",
    )


def _result(call: Call, command: str, found: terminal.CommandResult) -> CommandResult:
    stdout = fitted(found.stdout, call.limits.stdout_bytes)
    stderr = fitted(found.stderr, call.limits.stderr_bytes)
    cut = bool(stdout.left_out or stderr.left_out)
    return CommandResult(
        stdout=stdout.text,
        stderr=stderr.text,
        exit_code=found.exit_code,
        duration_ms=found.duration_ms,
        timed_out=found.timed_out,
        truncated=found.truncated or cut,
        cwd=found.cwd,
        session_id=None,
        output_id=found.output_id if found.truncated or cut else None,
        sandbox=found.sandbox,
        note=" ".join(
            [*filter(None, [found.notice]), *_how_to_read_on(command, found, stdout, stderr), *_after_time_out(found)]
        ),
    )


def _how_to_read_on(command: str, found: terminal.CommandResult, stdout: Cut, stderr: Cut) -> list[str]:
    if not (found.truncated or stdout.left_out or stderr.left_out):
        return []
    sizes = f"Output was cut in the middle (it wrote {found.stdout_bytes:,} bytes to stdout and {found.stderr_bytes:,} to stderr). "
    if found.output_id is not None:
        return [
            f"{sizes}Read the rest with read_output and outputId {found.output_id}: by page, `tail` or `search`; it is kept "
            "for an hour."
        ]
    short = command if len(command) <= 200 and "\n" not in command else "COMMAND"
    return [
        f"{sizes}The rest is not kept; put it into a file and read that in parts: "
        f"`{{ {short}; }} > /tmp/output.txt 2>&1`, then `sed -n '1,200p' /tmp/output.txt`; or narrow it with grep, "
        "head or tail."
    ]


def _after_time_out(found: terminal.CommandResult) -> list[str]:
    if not found.timed_out:
        return []
    return [
        "Its time was up, and it was ended with all its children; the output is what there was until then. Give it "
        f"more time with timeoutSeconds ({MAX_COMMAND_SECONDS} at most), set background for what takes longer, or do less at once."
    ]
