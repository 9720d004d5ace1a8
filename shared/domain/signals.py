"""Signals to what runs on a session's terminal, by their names without SIG."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from shared.domain.terminal import SessionRef


def _short(value: Any) -> Any:
    """Both spellings are usual."""
    return value.upper().removeprefix("SIG") if isinstance(value, str) else value


SignalName = Literal["INT", "TERM", "HUP", "QUIT", "KILL", "USR1", "USR2", "STOP", "TSTP", "CONT", "WINCH"]
AnySignal = Annotated[SignalName, BeforeValidator(_short)]


class SignalTerminal(SessionRef):
    """Send a signal to the job in front on a session's terminal, or to its command in the background."""

    signal: AnySignal = Field(description="INT asks it to stop as Ctrl-C does, TERM to end, KILL ends it.")
