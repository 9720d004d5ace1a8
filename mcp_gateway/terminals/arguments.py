"""The arguments of the terminal tools, described for the model that fills them in. Secrets are none of them."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from mcp_gateway.arguments import at_most, from_text
from shared.domain.files import FileEncoding
from shared.domain.kept import MAX_CONTEXT, SearchPattern
from shared.domain.signals import AnySignal
from shared.domain.targets import MAX_JUMPS, Host, Id, Jump, Path, Port, SessionType, Username, refuse
from shared.domain.terminal import Columns, OutputStream, Rows, Typed
from shared.domain.waits import Cursor, View
from shared.domain.wire import Wire

MAX_WAIT_SECONDS = 45
ASKED_SECONDS = 20.0
"""How long a read waits that says for what, but not how long."""
MAX_FILE_BYTES = 16_000
WAITS_ON = at_most(MAX_WAIT_SECONDS, "the program goes on meanwhile, so wait again with read_terminal")

WaitFor = Literal["ready", "output", "silence", "exit"]

SESSION = "Id of the session, from `open_terminal`, `list_terminals` or a `run_command` in the background."
VIEW = (
    "`auto`: new text from a plain shell, the changed rows of the screen from a full-screen program. Or choose: `text`, "
    "`screen` (all rows), `diff` (changed rows)."
)
PATTERN = (
    "Wait until what comes matches this regular expression (RE2 syntax; ^ and $ are line ends), instead of `waitFor`. "
    "What you type is echoed, and may match."
)
WAIT_FOR = (
    "What ends the wait: `ready` (a prompt, or a full-screen program that has drawn its screen), `output` (anything "
    "new), `silence` (nothing new for a second), `exit` (the shell or background command has ended)."
)
APPROVAL = "Id of an approval that was given for exactly this, from the error that asked for it."
REMOTE_PATH = "Path on the session's host. A relative one starts in the session's directory; `~` is the home directory."


_HOP = re.compile(r"(?P<username>[^:]+)@(?P<host>[^@:\[\]]+|\[[^@\[\]]+\])(?::(?P<port>[0-9]+))?")


def _hop(value: Any) -> Any:
    """The fields of a `Jump` in text as ssh's option -J has it; text without an `@` is a saved connection."""
    if not isinstance(value, str):
        raise PydanticCustomError("hop", "must be text: 'user@host:port' or the name of a saved connection")
    if "@" not in value:
        return {"connection_id": value}
    found = _HOP.fullmatch(value)
    if found is None:
        raise PydanticCustomError(
            "hop", "must be 'user@host:port' or the name of a saved connection; an IPv6 address stands in brackets"
        )
    return {"username": found["username"], "host": found["host"].strip("[]"), "port": found["port"]}


Hop = Annotated[Jump, BeforeValidator(_hop), WithJsonSchema({"type": "string"})]
"""A host to go through, named by text, which has no place for secrets."""


class OpenTerminalArguments(Wire):
    """What `open_terminal` takes."""

    connection: Id | None = Field(
        None,
        description="Name or id of a saved connection (see `list_terminals`), instead of type, host, port, username, jump and cwd.",
    )
    type: SessionType | None = Field(
        None, description="`local` (the gateway's machine; the default), `ssh` or `telnet`."
    )
    host: Host | None = Field(None, description="DNS name or IP address (ssh, telnet).")
    port: Port | None = Field(None, description="22 for ssh, 23 for telnet unless given.")
    username: Username | None = Field(
        None, description="ssh, telnet. SSH login is with the gateway's SSH agent and keys."
    )
    jump: Annotated[list[Hop], Field(min_length=1, max_length=MAX_JUMPS), BeforeValidator(from_text)] | None = Field(
        None,
        description="ssh: up to 4 hosts to go through, nearest first: `user@host:port`, or a saved connection's name or id.",
    )
    cwd: Path | None = Field(None, description="Directory to start in (local, ssh).")
    sandbox: bool = Field(True, description="False: without the sandbox of local commands; the user is asked.")
    cols: Columns = Field(80, description="Width of the screen.")
    rows: Rows = Field(24, description="Height of the screen; a small one costs you less to read.")

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        for name in ("type", "host", "port", "username", "jump", "cwd") if self.connection is not None else ():
            if getattr(self, name) is not None:
                raise refuse(name, "comes from the saved connection; leave it out or leave out 'connection'")
        if self.jump is not None and self.type != "ssh":
            raise refuse("jump", "is for the type 'ssh'; leave it out, or give 'type'")
        if not self.sandbox and (self.connection is not None or self.type not in (None, "local")):
            raise refuse("sandbox", "is for the type 'local'; leave it out")
        return self


class SendToTerminalArguments(Wire):
    """What `send_to_terminal` takes."""

    session_id: Id = Field(description=SESSION)
    text: Typed | None = Field(
        None, repr=False, description="Typed just as it is; a line end in it is Enter. Put Enter into `keys` otherwise."
    )
    keys: Typed | None = Field(
        None,
        repr=False,
        description="Typed after `text`: text with named keys, such as `<Enter>`, `<Tab>`, `<Esc>`, `<Up>`, `<PageDown>`, "
        "`<F5>`, `<C-c>`, `<M-x>`. `<<` types one `<`: a here-document is `<lt><lt>EOF`, or goes into `text`.",
    )
    paste: bool = Field(
        False,
        description="Paste `text` as one piece, none of which is executed by itself; then send `<Enter>`. In a program that "
        "knows no pasting (bracketed paste), its line ends become spaces.",
    )
    secret: Literal["password"] | None = Field(
        None,
        description="`password`, instead of text and keys: answer the password prompt that stands there (sudo) with the "
        "password of the session's saved connection, which you never see.",
    )
    signal: AnySignal | None = Field(
        None,
        description="Instead of text and keys: a signal to the job in front, or to a command in the background, as `kill` "
        "sends it. For Ctrl-C in a program that has the screen, prefer the key `<C-c>`.",
    )
    wait_for: WaitFor = Field("ready", description=WAIT_FOR)
    pattern: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(None, description=PATTERN)
    wait_seconds: Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS), WAITS_ON] = Field(
        10, description=f"Longest wait, {MAX_WAIT_SECONDS} at most; the program goes on after it. 0 does not wait."
    )
    view: Literal[View, "auto"] = Field("auto", description=VIEW)
    attributes: bool = Field(
        False, description="Also tell which text of a screen is highlighted, reversed, bold, underlined or in colour."
    )

    @property
    def longest(self) -> float:
        """Seconds to wait."""
        return self.wait_seconds

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        others = [name for name in ("secret", "signal") if getattr(self, name) is not None]
        if self.text is None and (self.paste or (self.keys is None and not others)):
            raise refuse("text", "this field is required (or 'keys'; use read_terminal to wait without typing)")
        if others and (self.text is not None or self.keys is not None or len(others) > 1):
            raise refuse(others[-1], "stands instead of 'text', 'keys' and whatever else is typed")
        return self


class ReadTerminalArguments(Wire):
    """What `read_terminal` takes."""

    session_id: Id = Field(description=SESSION)
    cursor: Cursor | None = Field(
        None,
        description="Read what came after this `cursor` of an earlier result; 0 is the beginning. Leave out for the "
        "screen as it is now.",
    )
    wait_for: WaitFor = Field("ready", description=WAIT_FOR)
    pattern: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(None, description=PATTERN)
    wait_seconds: Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS), WAITS_ON] | None = Field(
        None,
        description=f"Wait before reading, {MAX_WAIT_SECONDS} at most. 0 reads at once, and so it is without this, unless "
        f"`waitFor` or `pattern` is given: then {ASKED_SECONDS:.0f}.",
    )
    view: Literal[View, "auto"] = Field("auto", description=VIEW)
    attributes: bool = Field(
        False, description="Also tell which text of a screen is highlighted, reversed, bold, underlined or in colour."
    )

    @property
    def longest(self) -> float:
        """Seconds to wait: whoever says for what wants to wait."""
        if self.wait_seconds is not None:
            return self.wait_seconds
        return ASKED_SECONDS if self.pattern is not None or "wait_for" in self.model_fields_set else 0.0


class ReadOutputArguments(Wire):
    """What `read_output` takes."""

    output_id: Id | None = Field(None, description="`outputId` of a `run_command` whose output was cut.")
    session_id: Id | None = Field(None, description="Instead: an open session, to `search` its scrollback.")
    stream: OutputStream = Field("stdout", description="Of a command's output.")
    search: SearchPattern | None = Field(None, description="Return the lines that match (RE2 syntax), with numbers.")
    context: Annotated[int, Field(ge=0, le=MAX_CONTEXT)] = Field(0, description="Lines around each match.")
    tail: Annotated[int, Field(ge=1, le=1000)] | None = Field(None, description="Begin so many lines before the end.")
    cursor: Cursor | None = Field(None, description="`nextCursor` of the part before.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.output_id is None) == (self.session_id is None):
            raise refuse("output_id", "give this or 'sessionId'")
        if self.session_id is not None and self.search is None:
            raise refuse("search", "this field is required with 'sessionId'; read_terminal reads without searching")
        if self.tail is not None and (self.cursor is not None or self.search is not None):
            raise refuse("tail", "cannot be given together with 'cursor' or 'search'")
        return self


class CloseTerminalArguments(Wire):
    """What `close_terminal` takes."""

    session_id: Id = Field(description=SESSION)


class ListTerminalsArguments(Wire):
    """What `list_terminals` takes."""

    search: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Only saved connections whose name or host contains this, in any case."
    )


class RemotePathArguments(Wire):
    """What `list_remote_files` takes."""

    session_id: Id = Field(description="Id of a session over SSH.")
    path: Path = Field(".", description=REMOTE_PATH)
    approval_id: Id | None = Field(None, description=APPROVAL)


class ReadRemoteFileArguments(Wire):
    """What `read_remote_file` takes."""

    session_id: Id = Field(description="Id of a session over SSH.")
    path: Path = Field(description=REMOTE_PATH)
    offset: Annotated[int, Field(ge=0)] = Field(0, description="Byte to begin with: `nextOffset` of the part before.")
    limit: Annotated[int, Field(ge=16, le=MAX_FILE_BYTES)] = Field(
        MAX_FILE_BYTES, description=f"Most bytes to read, {MAX_FILE_BYTES} at most."
    )
    approval_id: Id | None = Field(None, description=APPROVAL)


class WriteRemoteFileArguments(Wire):
    """What `write_remote_file` takes."""

    session_id: Id = Field(description="Id of a session over SSH.")
    path: Path = Field(description=REMOTE_PATH)
    content: Annotated[str, Field(max_length=1024 * 1024)] = Field(
        repr=False, description="All that is to be in the file."
    )
    encoding: FileEncoding = Field("text", description="`base64` for content that is not text.")
    overwrite: bool = Field(False, description="Replace a file that is there; otherwise that is refused.")
    approval_id: Id | None = Field(None, description=APPROVAL)
