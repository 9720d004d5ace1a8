"""The command policy as data: which commands are allowed, denied, or asked about, for whom and where."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.targets import SessionType, no_nul, refuse
from shared.domain.wire import Name, Wire

Action = Literal["allow", "confirm", "deny"]
SEVERITY: dict[Action, int] = {"allow": 0, "confirm": 1, "deny": 2}
Asking = Literal["client", "queue"]
"""Whom `confirm` asks: the person behind the caller's MCP client, or an administrator, by way of the queue."""


def _not_only_blanks(value: str) -> str:
    if value != value.strip():
        raise PydanticCustomError("blank", "must not begin or end with a blank")
    return value


Pattern = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(no_nul), AfterValidator(_not_only_blanks)
]
"""`*` is any text without a slash, `**` any text, `?` one character."""
Patterns = Annotated[list[Pattern], Field(max_length=200)]
Reason = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Rule(Wire):
    """What to do with commands that fit all that is given here; of each list one item is enough, but for `options`."""

    action: Action
    reason: Reason = Field("", description="Told to whoever is refused or asked.")
    commands: Patterns = Field([], description="Names, or names with subcommands: `rm`, `mkfs*`, `git push`.")
    lines: Patterns = Field(
        [],
        description="Whole commands, their words joined by single blanks: `make test*`, `python3 -m pytest**`. What an "
        "allow rule spells out so is allowed also where the policy does not know all that it does; there `*` and `?` stand "
        "for no option, `**` for any.",
    )
    options: Patterns = Field([], description="Each must be given; `-r|-R|--recursive` are forms of one.")
    arguments: Patterns = Field([], description="Some argument is one of these.")
    writes: Patterns = Field(
        [], description="Some file that is written, by a redirection or a command, is one of these."
    )
    paths: Patterns = Field([], description="Some file or argument, read or written, is one of these.")
    variables: Patterns = Field([], description="Some such variable is set: PATH, LD_PRELOAD, EDITOR and their like.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.commands or self.lines or self.arguments or self.writes or self.paths or self.variables):
            raise refuse("commands", "a rule needs one of commands, lines, arguments, writes, paths and variables")
        return self


class Policy(Wire):
    """Rules for some callers and some places. The first rule that fits a command decides it, else `default`."""

    name: Name
    callers: Patterns = Field(
        [], description="Ids and names of callers, `role:viewer`, `kind:key`; `!` before one excepts it. Empty: all."
    )
    connections: Patterns = Field(
        [],
        description="Ids and names of saved connections, `type:ssh`, `host:10.0.**`; `!` before one excepts it. "
        "Empty: everywhere.",
    )
    default: Action = Field(
        "allow",
        description="What becomes of a command that no rule fits. Under deny and confirm, a rule that allows fits only "
        "commands all of whose effects the policy knows, or that it spells out in `lines`.",
    )
    unknown: Action = Field(
        "deny", description="What becomes of a command that fits a rule only if parts known at run time say so."
    )
    interactive: Literal["allow", "deny"] = Field(
        "deny", description="Typing into an interactive shell, which no policy can read."
    )
    ask: list[Asking] = Field(["client", "queue"], max_length=2, description="Whom `confirm` asks; nobody: it refuses.")
    rules: list[Rule] = Field([], max_length=500)


class CommandPolicy(Wire):
    """All policies. Those that apply to a caller and a place are all asked, and the strictest answer counts."""

    policies: list[Policy] = Field([], max_length=100)


class PolicyState(Wire):
    """The policy in force and where it comes from: nowhere, the file of the settings, or what was put here."""

    policy: CommandPolicy
    source: Literal["none", "file", "stored"]
    version: int


class ChangePolicy(Wire):
    """Put a policy into force; null returns to the one in the file."""

    policy: CommandPolicy | None


class CheckCommand(Wire):
    """What the policy would say of a command, without running it."""

    command: Annotated[str, Field(min_length=1, max_length=100_000)]
    caller: str | None = Field(None, max_length=200, description="Id of a caller; yourself by default.")
    connection: str | None = Field(None, max_length=200, description="Id or name of a saved connection.")
    type: SessionType = "local"
    cwd: str | None = Field(None, max_length=4096)


class CommandVerdict(Wire):
    """What the policy says, why, and what it has seen in the command."""

    action: Action
    policy: str | None
    rule: int | None = Field(description="Place of the rule in its policy, from 1; null for a default.")
    reason: str
    decisive: str = Field(description="The part of the command that decided.")
    seen: list[str] = Field(description="Every command in it, the hidden ones too.")
