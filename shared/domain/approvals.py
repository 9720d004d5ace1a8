"""Commands, keys of SSH hosts, and sessions without the sandbox, that wait for somebody's leave."""

from typing import Literal

from pydantic import Field

from shared.domain.policy import Asking
from shared.domain.targets import Id
from shared.domain.wire import Timestamp, Wire

Decision = Literal["approve", "deny"]
ApprovalKind = Literal["command", "host_key", "session"]
ApprovalStatus = Literal["pending", "approved", "denied"]


class Approval(Wire):
    """One command of one caller in one place, the key of a host, or a session without the sandbox, and what was decided about it. It counts once.

    All of it is for people to read: characters that nobody sees are written as their codes, a long input is cut.
    """

    id: str
    kind: ApprovalKind = "command"
    caller: str
    caller_name: str
    command: str
    place: str
    session_id: str | None
    cwd: str | None
    stdin: str | None = None
    env: list[str] = Field([], description="Names of the variables that it is given.")
    host: str | None = Field(None, description="ssh: user, host and port, and the hosts on the way.")
    shell: str | None = Field(None, description="local: the shell that reads the command, unless it is the default.")
    sandbox: str | None = Field(None, description="local: the sandbox that confines the command.")
    umask: str | None = Field(None, description="The session's umask in octal, where it is known.")
    path: str | None = Field(None, description="PATH, where it is known.")
    variables: list[str] = Field([], description="Names of the variables that the session exports.")
    programs: list[str] = Field([], description="local: its programs and scripts, each with its file.")
    policy: str
    rule: int | None
    reason: str
    ask: list[Asking]
    created_at: Timestamp
    expires_at: Timestamp
    status: ApprovalStatus = "pending"
    decided_by: str | None = None


class ApprovalList(Wire):
    """The commands that wait, oldest first, and those decided that have not run yet."""

    approvals: list[Approval]


class ListApprovals(Wire):
    """Which ones."""

    status: ApprovalStatus | None = None


class DecideApproval(Wire):
    """Approve or deny one."""

    id: Id
    decision: Decision


class ConfirmCommand(Wire):
    """What the person behind a caller's client said to one of the caller's commands."""

    id: Id
    agreed: bool


class ApprovalAnswer(Wire):
    """One of them, as it is now."""

    approval: Approval
