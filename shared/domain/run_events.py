"""What is told of a command while it runs."""

from dataclasses import dataclass

from shared.domain.terminal import CommandResult, OutputStream, SessionInfo


@dataclass(frozen=True, slots=True)
class RunOutput:
    """Some output of a running command."""

    stream: OutputStream
    text: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The end of a running command."""

    result: CommandResult


@dataclass(frozen=True, slots=True)
class RunBegun:
    """A command that goes on in the background, in this session; nothing more is told of it here."""

    session: SessionInfo


RunEvent = RunOutput | RunFinished | RunBegun
