"""Answering a password prompt with a secret that the gateway holds, so that it passes through no caller."""

import re
from typing import Protocol, runtime_checkable

from shared.domain.targets import LocalTarget, SshTarget, Target
from shared.errors import Conflict, Unsupported

_PROMPT = re.compile(r"(?i)(?<!'s )password[^:]{0,80}:$")
"""As sudo, su and passwd ask. Not as ssh asks for another host's, which is none of that host's business."""


@runtime_checkable
class Answers(Protocol):
    """A channel into which a secret can be typed that nobody will see."""

    def answer(self, secret: str) -> None:
        """Type it and Enter. Raises TerminalError."""


def secret_of(target: Target) -> str:
    """The password that a session was opened with. Raises Unsupported where there is none."""
    holder = target.login if isinstance(target, SshTarget) else target
    password = None if isinstance(holder, LocalTarget) else holder.password
    if password is None:
        raise Unsupported(
            "This session holds no password to answer with: open it over SSH or telnet on a saved connection that has one.",
            code="sudo_without_credentials",
        )
    return password.get_secret_value()


def check_prompt(line: str | None) -> None:
    """Raises Conflict unless a program asks for the user's password in that line."""
    if not _PROMPT.search((line or "").rstrip()):
        raise Conflict(
            "No password prompt stands on the terminal, so nothing was typed. Send the command that asks for it first, "
            "such as sudo, and wait for its prompt.",
            code="no_password_prompt",
        )
