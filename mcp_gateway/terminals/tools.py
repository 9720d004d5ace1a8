"""The tools for terminal sessions and for files on their hosts: a literal table."""

from typing import TYPE_CHECKING, Any

from mcp.types import InputRequiredResult, ToolAnnotations

from mcp_gateway.terminals import rendering
from mcp_gateway.terminals.arguments import (
    CloseTerminalArguments,
    ListTerminalsArguments,
    OpenTerminalArguments,
    ReadOutputArguments,
    ReadRemoteFileArguments,
    ReadTerminalArguments,
    RemotePathArguments,
    SendToTerminalArguments,
    WriteRemoteFileArguments,
)
from mcp_gateway.terminals.results import (
    ClosedTerminal,
    KeptText,
    OpenedTerminal,
    RemoteContent,
    RemoteListing,
    RemoteWritten,
    TerminalList,
    TerminalOutput,
)
from mcp_gateway.tool import Tool

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Call

READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
READS_ELSEWHERE = READS.model_copy(update={"open_world_hint": True})
ACTS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)


async def _open(call: "Call", arguments: OpenTerminalArguments) -> OpenedTerminal | InputRequiredResult:
    from mcp_gateway.calls import terminals

    return await terminals.open_(call, arguments)


async def _list(call: "Call", arguments: ListTerminalsArguments) -> TerminalList:
    from mcp_gateway.calls import terminals

    return await terminals.list_(call, arguments)


async def _close(call: "Call", arguments: CloseTerminalArguments) -> ClosedTerminal:
    from mcp_gateway.calls import terminals

    return await terminals.close(call, arguments)


async def _send(call: "Call", arguments: SendToTerminalArguments) -> TerminalOutput:
    from mcp_gateway.calls import interaction

    return await interaction.send(call, arguments)


async def _read(call: "Call", arguments: ReadTerminalArguments) -> TerminalOutput:
    from mcp_gateway.calls import interaction

    return await interaction.read(call, arguments)


async def _read_output(call: "Call", arguments: ReadOutputArguments) -> KeptText:
    from mcp_gateway.calls import outputs

    return await outputs.read(call, arguments)


async def _list_files(call: "Call", arguments: RemotePathArguments) -> RemoteListing | InputRequiredResult:
    from mcp_gateway.calls import files

    return await files.list_(call, arguments)


async def _read_file(call: "Call", arguments: ReadRemoteFileArguments) -> RemoteContent | InputRequiredResult:
    from mcp_gateway.calls import files

    return await files.read(call, arguments)


async def _write_file(call: "Call", arguments: WriteRemoteFileArguments) -> RemoteWritten | InputRequiredResult:
    from mcp_gateway.calls import files

    return await files.write(call, arguments)


TERMINAL_TOOLS: tuple[Tool[Any, Any], ...] = (
    Tool(
        name="open_terminal",
        title="Open a terminal session",
        description=(
            "Open a shell that stays: on the gateway's machine, over SSH or over telnet. Use it for what is interactive "
            "(editors, pagers, REPLs, installers, logins, devices) and where directory and variables must carry over; "
            "for a single command `run_command` is simpler.\n"
            "You get its `sessionId` and what it shows first. Type with `send_to_terminal`; `run_command` with the "
            "`sessionId` runs commands beside it with their exit codes (not over telnet). Close it when you are done.\n"
            "No passwords are taken here: for a host that wants one, name a saved `connection` (`list_terminals` shows "
            "them), or ask the user to save one (POST /v1/terminal/connections)."
        ),
        arguments=OpenTerminalArguments,
        result=OpenedTerminal,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
        ),
        operations=("open_terminal", "close_terminal", "send_to_terminal", "read_terminal", "get_terminal"),
        first="opening …",
        run=_open,
        render=rendering.opened,
        like="send_to_terminal",
    ),
    Tool(
        name="send_to_terminal",
        title="Type into a terminal",
        description=(
            "Type into an open session, wait until the program is ready again, and see what came, all in one call: "
            '`{"text": "ls -l", "keys": "<Enter>"}`, `{"keys": ":wq<Enter>"}`, `{"keys": "<C-c>"}`.\n'
            "A plain shell answers with its new text; a full-screen program (vim, less, a dialog) with the rows of the "
            "screen that changed. `waitEnded` says why the wait is over: `timeout` means that the program goes on, so "
            "wait on with `read_terminal`, or interrupt it; the wait's end, or cancelling the call, does not.\n"
            "For something that prints when it is done, wait for a `pattern`; for several lines of code, `paste` them and "
            "then send `<Enter>`. It acts for real: what holds for `run_command` holds here. Never type a secret that "
            "the user has not given you for that; see `secret`."
        ),
        arguments=SendToTerminalArguments,
        result=TerminalOutput,
        annotations=ACTS,
        operations=("send_to_terminal", "answer_prompt", "signal_terminal", "read_terminal", "get_terminal"),
        first="typing …",
        run=_send,
        render=rendering.output,
    ),
    Tool(
        name="read_terminal",
        title="Read a terminal",
        description=(
            "See what a session shows, without typing: the screen as it is now, or, with `cursor`, what came after an "
            "earlier result. With `waitFor`, `pattern` or `waitSeconds` it waits first, as after a `send_to_terminal` that ended with `timeout`, "
            "or for the end of a command in the background (`waitFor` `exit`; then `exitCode` is there)."
        ),
        arguments=ReadTerminalArguments,
        result=TerminalOutput,
        annotations=READS,
        operations=("read_terminal", "send_to_terminal", "get_terminal"),
        first="reading …",
        run=_read,
        render=rendering.output,
        like="send_to_terminal",
    ),
    Tool(
        name="read_output",
        title="Read or search kept output",
        description=(
            "Read on in output that `run_command` cut (its `outputId` holds for an hour): by page, from the end (`tail`) or "
            "by regular expression (`search`). Use it instead of running the command again."
        ),
        arguments=ReadOutputArguments,
        result=KeptText,
        annotations=READS,
        operations=("read_kept_output", "search_terminal"),
        first="reading …",
        run=_read_output,
        render=rendering.kept,
    ),
    Tool(
        name="close_terminal",
        title="Close a terminal session",
        description=(
            "Close a session, or end a command in the background. Everything that still runs in it is ended, and what it "
            "showed can no longer be read. Close sessions that you opened and no longer need; they count against a limit."
        ),
        arguments=CloseTerminalArguments,
        result=ClosedTerminal,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
        ),
        operations=("close_terminal",),
        first="closing …",
        run=_close,
        render=rendering.closed,
    ),
    Tool(
        name="list_terminals",
        title="List terminal sessions and saved connections",
        description=(
            "List the open terminal sessions and the saved connections, that is, the hosts that `open_terminal` and "
            "`run_command` can reach by name. Use it before you open a session on a host, or to find one again; the "
            "user's sessions from elsewhere (REST) are among them."
        ),
        arguments=ListTerminalsArguments,
        result=TerminalList,
        annotations=READS,
        operations=("list_terminals", "list_connections"),
        first="reading the list …",
        run=_list,
        render=rendering.listing,
    ),
)

FILE_TOOLS: tuple[Tool[Any, Any], ...] = (
    Tool(
        name="list_remote_files",
        title="List files on a host",
        description=(
            "List a directory, or look at one file, on the host of a session over SSH (by SFTP). For this machine, and "
            "where SFTP is off, use `run_command` with ls."
        ),
        arguments=RemotePathArguments,
        result=RemoteListing,
        annotations=READS_ELSEWHERE,
        operations=("list_files",),
        first="looking …",
        run=_list_files,
        render=rendering.files,
    ),
    Tool(
        name="read_remote_file",
        title="Read a file on a host",
        description=(
            "Read a file on the host of a session over SSH (by SFTP), in parts of 16,000 bytes: go on with `offset` when "
            "`nextOffset` is not null. To search in a large file, use `run_command` with grep or sed instead."
        ),
        arguments=ReadRemoteFileArguments,
        result=RemoteContent,
        annotations=READS_ELSEWHERE,
        operations=("read_file",),
        first="reading …",
        run=_read_file,
        render=rendering.content,
    ),
    Tool(
        name="write_remote_file",
        title="Write a file on a host",
        description=(
            "Write a whole file on the host of a session over SSH (by SFTP); it is there in full or not at all, with the "
            "permissions that it had. A file that is there is replaced only with `overwrite`. Better than typing its "
            "content into a terminal."
        ),
        arguments=WriteRemoteFileArguments,
        result=RemoteWritten,
        annotations=ACTS,
        operations=("write_file",),
        first="writing …",
        run=_write_file,
        render=rendering.written,
    ),
)
"""Both in the order in which hosts list them."""
