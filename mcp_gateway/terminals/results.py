"""The structured results of the terminal tools: all that a model must know, and as little as that takes to read."""

from typing import Literal

from pydantic import Field

from shared.domain.files import FileEncoding, FileType
from shared.domain.screens import ScreenSpan
from shared.domain.targets import SessionType
from shared.domain.terminal import LoginStanding
from shared.domain.waits import View, WaitEnd
from shared.domain.wire import Timestamp, Wire


class TerminalOutput(Wire):
    """What `send_to_terminal` and `read_terminal` give."""

    text: str = Field(description="What was shown, without colours.")
    view: View = Field(
        description="What `text` is. `text`: what was written after the cursor. `screen`: the rows of the screen, but for "
        "empty ones at its end. `diff`: the rows that changed, as `number: row`; the others are as they were. In both `▶` and "
        "`◀` stand around what is highlighted, such as the selected item of a menu."
    )
    full_screen: bool = Field(description="A full-screen program (editor, pager, dialog) has the screen.")
    cursor_row: int | None = Field(description="Where it would write next, from 0; null in the view `text`.")
    cursor_col: int | None
    wait_ended: WaitEnd | Literal["not_waited"] = Field(
        description="`prompt`, `prompt-like`, `password`: it waits for input (the last two are guesses from its line). "
        "`screen`: a full-screen program's screen stands still. `matched`, `output`, `silence`, `exit`: as asked for. "
        "`timeout`: it goes on."
    )
    match: str | None = Field(description="The text that matched, or the line of the prompt.")
    connected: bool = Field(description="False once the shell, command or connection has ended.")
    exit_code: int | None = Field(description="Of a shell or background command that has ended; null otherwise.")
    attributes: list[ScreenSpan] | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="With `attributes`: all of the screen that is not plain.",
    )
    cursor: int = Field(description="Give it to `read_terminal` for what comes after this.")
    truncated: bool = Field(description="Some is left out; the note says how to read it.")
    note: str = Field(description="How to go on, where that is not plain; empty otherwise.")


class KeptText(Wire):
    """What `read_output` gives."""

    text: str = Field(description="A page, or the lines that match, as `grep -n` shows them.")
    line: int = Field(description="Number of the first line.")
    next_cursor: int | None = Field(description="Pass it as `cursor` for more; null at the end.")
    matches: int | None = Field(description="How many lines match in this part; null without `search`.")
    note: str


class OpenedTerminal(TerminalOutput):
    """What `open_terminal` gives: the session, and what it shows first."""

    session_id: str = Field(description="Pass it as `sessionId`.")
    type: SessionType
    host: str | None
    username: str | None


class TerminalEntry(Wire):
    """An open session."""

    session_id: str
    type: SessionType
    connected: bool
    host: str | None
    username: str | None
    label: str | None = Field(description="Its title: the command, where it is one in the background.")
    exit_code: int | None = Field(description="Of a shell or background command that has ended.")
    last_activity: Timestamp
    login: LoginStanding | None = Field(
        description="Of a telnet session with stored credentials: whether the host took them, or has `not_asked` for them."
    )
    busy: str | None = Field(description="Since when it runs which command; the next one waits for its end.")
    watched: str | None = Field(description="Which administrators watch it, or have watched it or typed into it.")


class ConnectionEntry(Wire):
    """A saved connection."""

    name: str
    type: SessionType
    host: str | None
    username: str | None


class TerminalList(Wire):
    """What `list_terminals` gives."""

    sessions: list[TerminalEntry] = Field(description="Oldest first.")
    connections: list[ConnectionEntry] = Field(
        description="Saved connections: pass a name as `connection` to `open_terminal` or `run_command`."
    )
    more_connections: int = Field(description="How many further ones there are; narrow them with `search`.")
    incomplete: list[str] = Field(
        description="Processes of the gateway whose sessions are missing: they did not answer."
    )


class ClosedTerminal(Wire):
    """What `close_terminal` gives."""

    closed: bool = Field(description="It is gone, with all that ran in it.")


class RemoteFile(Wire):
    """A file, directory or link on a session's host."""

    name: str
    type: FileType
    size: int
    mode: str = Field(description="Permissions.")
    modified_at: Timestamp | None
    target: str | None = Field(description="Where a link leads.")


class RemoteListing(Wire):
    """What `list_remote_files` gives."""

    path: str = Field(description="The absolute path.")
    entries: list[RemoteFile] = Field(description="By name; of a path that is no directory, itself.")
    truncated: bool = Field(description="There are more; use `run_command` with ls or find to see them.")


class RemoteContent(Wire):
    """What `read_remote_file` gives."""

    path: str
    content: str
    encoding: FileEncoding = Field(description="`base64` where the file is not text.")
    size: int = Field(description="Bytes of the whole file.")
    next_offset: int | None = Field(description="Pass it as `offset` for the next part; null at the end.")


class RemoteWritten(Wire):
    """What `write_remote_file` gives."""

    path: str
    size: int
    created: bool = Field(description="There was no such file before.")
