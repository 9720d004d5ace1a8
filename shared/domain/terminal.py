"""Terminal sessions and commands: what callers ask for and what they are told."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.encodings import Encoding
from shared.domain.logins import LoginId
from shared.domain.screens import ScreenInfo, ScreenSpan
from shared.domain.targets import Environment, Id, Path, SessionType, Sudo, TargetFields, no_nul, refuse
from shared.domain.transfers import TransferInfo
from shared.domain.waits import Cursor, View, Wait, WaitEnd, WithAttributes
from shared.domain.watchers import WatcherInfo
from shared.domain.wire import Name, Timestamp, Wire

OutputStream = Literal["stdout", "stderr"]
SandboxKind = Literal["bwrap", "landlock", "none"]
LimitedBy = Literal["cgroup", "rlimit", "count", "none"]

MAX_COMMAND_BYTES = 100_000
"""Under the 128 KiB that Linux allows for one argument, with room for the text around the command."""


def _command(value: str) -> str:
    if len(value.encode()) > MAX_COMMAND_BYTES:
        raise PydanticCustomError("too_long", f"must be at most {MAX_COMMAND_BYTES} bytes; pass long text as 'stdin'")
    if not value.strip():
        raise PydanticCustomError("blank", "must not be blank")
    return no_nul(value)


Command = Annotated[str, AfterValidator(_command), Field(min_length=1)]
Columns = Annotated[int, Field(ge=1, le=500)]
Rows = Annotated[int, Field(ge=1, le=300)]
Sandboxed = Annotated[
    bool,
    Field(
        description="False runs it without the sandbox on this machine, with all rights of the gateway's user, once a person "
        "has approved that."
    ),
]
MAX_STDIN = 1024 * 1024
"""Characters."""
Stdin = Annotated[str, Field(max_length=MAX_STDIN)]
Typed = Annotated[str, Field(min_length=1, max_length=256 * 1024)]


class OpenSession(TargetFields):
    """Open a terminal session: a type with its fields, or a saved connection."""

    connection_id: Id | None = Field(None, description="A saved connection to open, instead of a type and its fields.")
    cols: Columns | None = Field(None, description="Width of the terminal; 80 by default.")
    rows: Rows | None = Field(None, description="Height of the terminal; 24 by default.")
    title: Name | None = Field(None, description="A name to show for the session.")
    encoding: Encoding | None = Field(
        None, description="Encoding of the interactive shell's text, such as latin-1 or cp437; utf-8 by default."
    )
    sandbox: Sandboxed = True
    record: bool = Field(
        False, description="Record the session, secrets left out, for GET /v1/terminal/{id}/recording to play."
    )
    login_id: LoginId = None

    @model_validator(mode="after")
    def _type_or_connection(self) -> Self:
        if self.connection_id is None:
            if self.type is None:
                raise refuse("type", "this field is required: local, ssh or telnet (or give a 'connectionId')")
            if not self.sandbox and self.type != "local":
                raise refuse("sandbox", f"does not belong to the type '{self.type}'")
            return self
        if not self.sandbox:
            raise refuse("sandbox", "cannot be given together with 'connectionId'")
        for name in TargetFields.model_fields:
            if getattr(self, name) is not None:
                raise refuse(name, "comes from the saved connection; leave it out or leave out 'connectionId'")
        return self


class SessionRef(Wire):
    """One session."""

    id: Id


class WithLeave(Wire):
    """What goes with a command or file that a policy may want confirmed."""

    approval_id: Id | None = Field(None, description="Of an approval that was given for exactly this.")
    approval_wait_ms: Annotated[int, Field(ge=0, le=60_000)] = Field(
        0, description="Where the command policy wants it confirmed: wait up to so many milliseconds for that."
    )


class Execute(SessionRef, WithLeave):
    """Run a command in a session and wait for its end."""

    command: Command
    timeout_ms: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Milliseconds it gets, waiting for the session's earlier commands included; 30000 by default."
    )
    stdin: Stdin | None = Field(None, repr=False, description="Text for its standard input, which is empty otherwise.")
    max_output_bytes: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Bytes to keep of each output stream, from its beginning and its end."
    )
    sudo: Sudo = False


class Send(SessionRef):
    """Type into the session's interactive shell, and wait for what it answers. Only a `wait` goes on waiting."""

    data: Typed | None = Field(
        None, repr=False, description="Text as typed; Enter is a line feed or a carriage return, Ctrl-C is U+0003."
    )
    keys: Typed | None = Field(
        None,
        repr=False,
        description="Text with named keys, typed after 'data': <Enter>, <Tab>, <Esc>, <Up>, <PageDown>, <F5>, <C-c>, "
        "<M-x>, <S-Tab>. '<<' and '<lt>' each type one '<', so a here-document is '<lt><lt>EOF', or goes into 'data'.",
    )
    paste: bool = Field(
        False,
        description="Paste 'data', so that none of it is executed: in brackets for a program that knows bracketed "
        "paste; for others, line ends become spaces. Control characters are left out.",
    )
    wait: Wait | None = Field(None, description="Wait after typing, and answer with what came.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.data is None and (self.paste or (self.keys is None and self.wait is None)):
            raise refuse("data", "this field is required (or 'keys', or 'wait' alone to go on waiting)")
        return self


class Resize(SessionRef):
    """Change the size of the session's terminal."""

    cols: Columns
    rows: Rows


class ReadOutput(SessionRef):
    """Read what the interactive shell has shown."""

    cursor: Cursor | None = Field(
        None, description="Read what came after this cursor, consuming nothing. Without it: what you have not read yet."
    )
    wait_ms: Annotated[int, Field(ge=0, le=60_000)] = Field(
        0, description="Wait up to so many milliseconds for something new."
    )
    view: View = Field(
        "text",
        description="'screen' gives the rendered screen, a line for each row; 'diff' the rows of it that changed after "
        "the cursor, all of them without one.",
    )
    strip: bool = Field(False, description="Leave control sequences (colours, cursor movements) out of the text.")
    attributes: WithAttributes = False


class RunCommand(WithLeave):
    """Run a command once, or in an open session."""

    command: Command = Field(description="A shell command line.")
    session_id: Id | None = Field(
        None, description="An open session to run it in; its directory and exported variables carry over."
    )
    connection: Id | None = Field(None, description="Name or id of a saved connection to run it on.")
    cwd: Path | None = Field(None, description="Directory to run it in; a session stays there afterwards.")
    timeout_seconds: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Seconds it gets, waiting for the session's earlier commands included; 30 by default."
    )
    env: Environment | None = Field(None, repr=False, description="Environment variables to add.")
    stdin: Stdin | None = Field(None, repr=False, description="Text for its standard input, which is empty otherwise.")
    background: bool = Field(
        False,
        description="Start it, here or on the host of the 'connection', and answer at once with a session: read its "
        "output, wait for its end, send it a signal, close it to end the command.",
    )
    login_id: LoginId = None
    sudo: Sudo = False

    sandbox: Sandboxed = True

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.session_id is not None and self.connection is not None:
            raise refuse("connection", "cannot be given together with 'sessionId'")
        if not self.sandbox and (self.session_id is not None or self.connection is not None):
            raise refuse("sandbox", "is decided when a session is opened, and is not for hosts; leave it out")
        if self.background:
            for name in ("session_id", "stdin", "timeout_seconds"):
                if getattr(self, name) is not None:
                    raise refuse(name, "cannot be given together with 'background'")
            if self.sudo:
                raise refuse("sudo", "cannot be given together with 'background'")
        return self


class Busy(Wire):
    """The command that a session runs just now; the next one waits for its end."""

    since: Timestamp
    command: str = Field(description="Its beginning, secrets left out.")


LoginStanding = Literal["done", "unconfirmed", "not_asked"]


class SessionInfo(Wire):
    """A session as listings show it. `connected` is false once its shell or connection has ended."""

    id: str
    type: SessionType
    created_at: Timestamp
    connected: bool
    last_activity: Timestamp
    host: str | None = Field(None, exclude_if=lambda value: value is None)
    port: int | None = Field(None, exclude_if=lambda value: value is None)
    username: str | None = Field(None, exclude_if=lambda value: value is None)
    title: str | None = Field(None, exclude_if=lambda value: value is None)
    exit_code: int | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="That of the program on its terminal, once it has ended.",
    )
    busy: Busy | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="The command that it runs just now; the next one waits for its end.",
    )
    recording: bool = Field(False, exclude_if=lambda value: not value, description="Whether it is being recorded.")
    background: bool = Field(
        False,
        exclude_if=lambda value: not value,
        description="Whether a command runs on its terminal, in the place of a shell.",
    )
    sandbox: bool = Field(
        True, exclude_if=lambda value: value, description="False where a person has let it run without the sandbox."
    )
    login: LoginStanding | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="What became of the credentials of a telnet session when it opened. `done`: the host took them. "
        "`unconfirmed`: the password was typed, and no prompt came. `not_asked`: the host did not ask for them in time.",
    )
    reason: str | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="Why it is not connected, or may not be logged in, where that is known.",
    )
    owner: str | None = Field(
        None, exclude_if=lambda value: value is None, description="Caller that has it, where that is another one."
    )
    watchers: list[WatcherInfo] = Field(
        default_factory=list,
        exclude_if=lambda value: not value,
        description="Administrators who have watched it, or typed into it.",
    )
    transfers: list[TransferInfo] = Field(
        default_factory=list,
        exclude_if=lambda value: not value,
        description="Files on their way, and how far they are.",
    )


class CommandResult(Wire):
    """How a command ended. `exitCode` is null after a time-out, and 128 + n when signal n ended it."""

    stdout: str
    stderr: str
    exit_code: int | None
    duration_ms: int
    timed_out: bool
    truncated: bool
    cwd: str
    stdout_bytes: int = Field(description="Bytes it wrote, those left out of 'stdout' included.")
    stderr_bytes: int = Field(description="Bytes it wrote, those left out of 'stderr' included.")
    output_id: str | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="Where output was cut: what 'GET /v1/terminal/outputs/{id}' pages and searches for an hour.",
    )
    signal: str | None = Field(None, exclude_if=lambda value: value is None, description="The signal that ended it.")
    notice: str | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="What became of the session, where it was reconnected, why the command was ended, what it waited for, or "
        "what the sandbox has to do with its failure.",
    )
    sandbox: SandboxKind | None = Field(
        None, exclude_if=lambda value: value is None, description="What held it, on this machine."
    )
    process_limit: LimitedBy | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="What held the number of its processes, on this machine: the gateway's `count` alone, or a `cgroup` or "
        "`rlimit` of the kernel behind it.",
    )


class ListSessions(Wire):
    """List open sessions."""

    all: bool = Field(False, description="Those of all callers, for an administrator; with AUTH_MODE=required.")


class SessionAnswer(Wire):
    """One session."""

    session: SessionInfo


class SessionList(Wire):
    """The caller's sessions, oldest first."""

    sessions: list[SessionInfo]
    incomplete: list[str] = Field(
        default_factory=list,
        exclude_if=lambda value: not value,
        description="Ids of processes of the gateway that did not answer in time: their sessions are missing here.",
    )


class CommandAnswer(Wire):
    """The result of a command."""

    result: CommandResult


class RunAnswer(Wire):
    """The result of a command, or the session that it runs in when it was started in the background."""

    result: CommandResult | None = Field(None, exclude_if=lambda value: value is None)
    session: SessionInfo | None = Field(None, exclude_if=lambda value: value is None)


class Done(Wire):
    """It is done."""

    success: Literal[True] = True


class Output(Wire):
    """What a shell showed: text in order, or the lines of the screen. `dropped` counts characters that were lost."""

    output: list[str]
    cursor: int = Field(description="Give it back to read on from here.")
    dropped: int = Field(description="Characters that the scrollback no longer held.")
    connected: bool
    screen: ScreenInfo | None = Field(
        None, exclude_if=lambda value: value is None, description="With the views 'screen' and 'diff'."
    )
    rows: list[int] | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="With the view 'diff': which rows the lines in 'output' are; the others are as they were.",
    )
    attributes: list[ScreenSpan] | None = Field(
        None, exclude_if=lambda value: value is None, description="With 'attributes': all text that is not plain."
    )


class Sent(Done):
    """It was typed; after a wait, also what came and why the wait is over."""

    output: list[str] | None = Field(None, exclude_if=lambda value: value is None)
    cursor: int | None = Field(
        None, exclude_if=lambda value: value is None, description="Give it as 'wait.cursor' to go on waiting from here."
    )
    dropped: int | None = Field(None, exclude_if=lambda value: value is None)
    connected: bool | None = Field(None, exclude_if=lambda value: value is None)
    screen: ScreenInfo | None = Field(None, exclude_if=lambda value: value is None)
    rows: list[int] | None = Field(None, exclude_if=lambda value: value is None)
    attributes: list[ScreenSpan] | None = Field(None, exclude_if=lambda value: value is None)
    reason: WaitEnd | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="'prompt' is one that the shell marked (OSC 133); 'prompt-like' and 'password' are guesses, mostly from the "
        "line that the cursor is in.",
    )
    match: str | None = Field(
        None, exclude_if=lambda value: value is None, description="The text that matched, or the prompt's line."
    )
