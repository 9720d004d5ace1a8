"""People who log in, and what the login endpoints take and give."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.domain.identity import Role, Scope
from shared.domain.wire import Wire

Username = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A stored user. Tokens issued at or before `tokens_valid_after` no longer count."""

    id: str
    username: str
    role: Role
    password_hash: str
    created_at: datetime
    tokens_valid_after: datetime | None = None


class User(Wire):
    """A user as callers see one."""

    id: str
    username: str
    role: Role


class Credentials(Wire):
    """What a login takes."""

    username: Username
    password: Password = Field(repr=False)


class Login(Wire):
    """What a login gives."""

    token: str = Field(repr=False)
    user: User


class AuthStatus(Wire):
    """How callers authenticate here, and as whom this one did."""

    auth_mode: Literal["local", "required"]
    authenticated: bool
    kind: Literal["local", "user", "key"]
    name: str
    scopes: list[Scope]
    user: User | None = Field(None, exclude_if=lambda user: user is None)


class TokenText(Wire):
    """A token to look at."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=8192)] = Field(repr=False)


class TokenStatus(Wire):
    """Whether a token counts, and whose it is."""

    valid: bool
    user: User | None = Field(None, exclude_if=lambda user: user is None)


class LoggedOut(Wire):
    """The token no longer counts."""

    success: Literal[True] = True
