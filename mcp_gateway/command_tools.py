"""The tool for a single command."""

from typing import TYPE_CHECKING

from mcp.types import InputRequiredResult

from mcp_gateway import rendering
from mcp_gateway.arguments import RunCommandArguments
from mcp_gateway.results import CommandResult
from mcp_gateway.tool import ACTS, AnyTool, Tool

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Call


async def _run_command(call: "Call", arguments: RunCommandArguments) -> CommandResult | InputRequiredResult:
    from mcp_gateway.calls import commands

    return await commands.run(call, arguments)


COMMAND_TOOLS: tuple[AnyTool, ...] = (
    Tool(
        name="run_command",
        title="Run a command",
        description=(
            "Run a shell command on the gateway's machine (or on a saved `connection`) and get its output and exit "
            "code. Use it for whatever runs to its end by itself; for what must be answered or keeps state, use "
            "`open_terminal`. It acts for real: have the user agree to anything that deletes, overwrites, installs or "
            "sends.\n"
            "Each call is a fresh shell, unless you pass a `sessionId`. Nothing can be typed into it: give what it reads as "
            "`stdin`, and use the flags that keep programs from asking. For a server or a long build set `background`; follow it with "
            "`read_terminal`, interrupt it with `send_to_terminal`'s `signal`, end it with `close_terminal`.\n"
            "A non-zero `exitCode` is an answer, not a failure of the tool. Long output is cut in the middle; `note` "
            "says how to read the rest."
        ),
        arguments=RunCommandArguments,
        result=CommandResult,
        annotations=ACTS,
        operations=("run_command_events", "confirm_command"),
        first="running …",
        run=_run_command,
        render=rendering.command,
    ),
)
