"""SSH logins that wait for what only a person knows, such as a one-time code."""

from typing import Annotated

from pydantic import Field

from shared.domain.targets import Id
from shared.domain.wire import Timestamp, Wire

LoginId = Annotated[
    Id | None,
    Field(
        description="Of a login that asked for a code (`code_required`) and has its answer: the request goes on with it."
    ),
]


class LoginPrompt(Wire):
    """One question of a host."""

    text: str
    echo: bool = Field(description="Whether the answer may be shown while it is typed.")


class PendingLogin(Wire):
    """A login that waits for answers. Texts are the host's, with invisible characters written as their codes."""

    id: str = Field(description="For POST /v1/terminal/{id}/answer.")
    caller: str
    host: str
    port: int
    username: str
    instructions: str
    prompts: list[LoginPrompt]
    expires_at: Timestamp


class ListPendingLogins(Wire):
    """List logins that wait for answers."""


class PendingLoginList(Wire):
    """The caller's logins that wait for answers; for an administrator, those of all callers with AUTH_MODE=required."""

    logins: list[PendingLogin]
    incomplete: list[str] = Field(
        default_factory=list,
        exclude_if=lambda value: not value,
        description="Ids of processes of the gateway that did not answer in time: their logins are missing here.",
    )
