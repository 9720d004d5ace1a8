"""Terminal sessions and commands: what callers ask for and what they are told."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.targets import Environment, Id, Path, SessionType, TargetFields, no_nul, refuse
from shared.domain.wire import Name, Timestamp, Wire

View = Literal["text", "screen"]
OutputStream = Literal["stdout", "stderr"]

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
Stdin = Annotated[str, Field(max_length=1024 * 1024)]


class OpenSession(TargetFields):
    """Open a terminal session: a type with its fields, or a saved connection."""

    connection_id: Id | None = Field(None, description="A saved connection to open, instead of a type and its fields.")
    cols: Columns | None = Field(None, description="Width of the terminal; 80 by default.")
    rows: Rows | None = Field(None, description="Height of the terminal; 24 by default.")
    title: Name | None = Field(None, description="A name to show for the session.")

    @model_validator(mode="after")
    def _type_or_connection(self) -> Self:
        if self.connection_id is None:
            if self.type is None:
                raise refuse("type", "this field is required: local, ssh or telnet (or give a 'connectionId')")
            return self
        for name in TargetFields.model_fields:
            if getattr(self, name) is not None:
                raise refuse(name, "comes from the saved connection; leave it out or leave out 'connectionId'")
        return self


class SessionRef(Wire):
    """One session."""

    id: Id


class Execute(SessionRef):
    """Run a command in a session and wait for its end."""

    command: Command
    timeout_ms: Annotated[int, Field(ge=1)] | None = Field(None, description="Milliseconds it gets; 30000 by default.")
    stdin: Stdin | None = Field(None, repr=False, description="Text for its standard input, which is empty otherwise.")
    max_output_bytes: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Bytes to keep of each output stream, from its beginning and its end."
    )


class Send(SessionRef):
    """Type into the session's interactive shell."""

    data: Annotated[str, Field(min_length=1, max_length=256 * 1024)] = Field(
        repr=False, description="Text as typed; Enter is a line feed or a carriage return, Ctrl-C is U+0003."
    )


class Resize(SessionRef):
    """Change the size of the session's terminal."""

    cols: Columns
    rows: Rows


class ReadOutput(SessionRef):
    """Read what the interactive shell has shown."""

    cursor: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Read what came after this cursor, consuming nothing. Without it: what you have not read yet."
    )
    wait_ms: Annotated[int, Field(ge=0, le=60_000)] = Field(
        0, description="Wait up to so many milliseconds for something new."
    )
    view: View = Field("text", description="'screen' gives the rendered screen, a line for each row.")


class RunCommand(Wire):
    """Run a command once, or in an open session."""

    command: Command = Field(description="A shell command line.")
    session_id: Id | None = Field(
        None, description="An open session to run it in; its directory and exported variables carry over."
    )
    connection: Id | None = Field(None, description="Name or id of a saved connection to run it on.")
    cwd: Path | None = Field(None, description="Directory to run it in; a session stays there afterwards.")
    timeout_seconds: Annotated[float, Field(gt=0)] | None = Field(None, description="Seconds it gets; 30 by default.")
    env: Environment | None = Field(None, repr=False, description="Environment variables to add.")
    stdin: Stdin | None = Field(None, repr=False, description="Text for its standard input, which is empty otherwise.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.session_id is not None and self.connection is not None:
            raise refuse("connection", "cannot be given together with 'sessionId'")
        return self


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
    signal: str | None = Field(None, exclude_if=lambda value: value is None, description="The signal that ended it.")


class SessionAnswer(Wire):
    """One session."""

    session: SessionInfo


class SessionList(Wire):
    """The caller's sessions, oldest first."""

    sessions: list[SessionInfo]


class CommandAnswer(Wire):
    """The result of a command."""

    result: CommandResult


class Done(Wire):
    """It is done."""

    success: Literal[True] = True


class Output(Wire):
    """What a shell showed: text in order, or the lines of the screen. `dropped` counts characters that were lost."""

    output: list[str]
    cursor: int = Field(description="Give it back to read on from here.")
    dropped: int = Field(description="Characters that the scrollback no longer held.")
    connected: bool


@dataclass(frozen=True, slots=True)
class RunOutput:
    """Some output of a running command."""

    stream: OutputStream
    text: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The end of a running command."""

    result: CommandResult


RunEvent = RunOutput | RunFinished
