"""A telnet login: which prompts of a host are answered with the stored credentials, without I/O."""

import re
from typing import Literal

from shared.domain.targets import TelnetTarget
from shared.domain.terminal import LoginStanding
from shared.terminal.sequences import plain

Outcome = Literal["waiting", "done", "refused"]
LONGEST_PROMPT = 300
"""Bytes of the last line that are searched for a prompt."""

_NAME = re.compile(r"(?i)(?<!last )\b(?:log ?in|user ?name|user(?: id)?|account|name)(?: as)?[ \t]*:$")
_PASSWORD = re.compile(r"(?i)[a-z ]*\b(?:password|passwd|passcode|kennwort)[^:\n]{0,40}:$")
_SHELL = re.compile(r"[$#>%]$")


class TelnetLogin:
    """The dialogue of one login. Each credential is typed once at most.

    It is `done` when the host asks for something else, or for what is not stored, and `refused` when the host asks for
    the name or the same password again.
    """

    def __init__(self, target: TelnetTarget) -> None:
        self._name = target.username
        self._name_typed = False
        self._password = target.password.get_secret_value() if target.password else None
        self._asked: str | None = None
        self._line = b""
        self.outcome: Outcome = "done" if self._name is None and self._password is None else "waiting"

    @property
    def password_typed(self) -> bool:
        """Whether the host was given the password."""
        return self._asked is not None

    @property
    def standing(self) -> LoginStanding | None:
        """How far the login has come, by what the host has shown; None where nothing is stored that it lacks."""
        if self._password is None:
            return "not_asked" if self._name is not None and not self._name_typed else None
        if not self.password_typed:
            return "not_asked"
        return "done" if self.outcome == "done" else "unconfirmed"

    def take(self, text: bytes) -> str | None:
        """Take in what the host shows. Returns what to type, without Enter."""
        self._line = (self._line + text).rpartition(b"\n")[2][-LONGEST_PROMPT:]
        line = plain(self._line.decode("latin-1")).rstrip()
        typed = None
        if found := _PASSWORD.search(line):
            typed = self._answer_password(found[0].strip())
        elif _NAME.search(line):
            typed = self._answer_name()
        elif self.password_typed and _SHELL.search(line):
            self.outcome = "done"
        if typed is not None:
            self._line = b""
        return typed

    def _answer_name(self) -> str | None:
        if self.password_typed:
            self.outcome = "refused"
        elif self._name is None:
            self.outcome = "done"
        elif not self._name_typed:
            self._name_typed = True
            if self._password is None:
                self.outcome = "done"
            return self._name
        return None

    def _answer_password(self, asked: str) -> str | None:
        if self.password_typed:
            self.outcome = "refused" if asked == self._asked else "done"
        elif self._password is None:
            self.outcome = "done"
        else:
            self._asked = asked
            return self._password
        return None
