"""Saved connections: what callers ask for and what they are told, which is never a secret."""

from typing import Self

from pydantic import model_validator

from shared.domain.logins import LoginId
from shared.domain.targets import HostKeyPolicy, Id, SessionType, TargetFields, refuse
from shared.domain.terminal import Columns, Done, Rows
from shared.domain.wire import Name, Timestamp, Wire


class ConnectionRef(Wire):
    """One saved connection."""

    id: Id


class CreateConnection(TargetFields):
    """Save a connection. Its secrets are encrypted and never shown again."""

    name: Name

    @model_validator(mode="after")
    def _has_a_type(self) -> Self:
        if self.type is None:
            raise refuse("type", "this field is required: local, ssh or telnet")
        return self


class UpdateConnection(TargetFields):
    """Change some fields of a saved connection; null takes a field away, and secrets left out stay as they are."""

    id: Id
    name: Name | None = None

    @model_validator(mode="after")
    def _keeps_its_type(self) -> Self:
        if "type" in self.model_fields_set:
            raise refuse("type", "cannot be changed; save another connection instead")
        return self


class ConnectSaved(ConnectionRef):
    """Open a session on a saved connection."""

    cols: Columns | None = None
    rows: Rows | None = None
    title: Name | None = None
    record: bool = False
    login_id: LoginId = None


class JumpInfo(Wire):
    """A jump host as shown: everything but its secrets."""

    connection_id: str | None = None
    host: str | None = None
    port: int | None = None
    username: str | None = None
    agent: bool | None = None
    has_password: bool
    has_private_key: bool
    has_passphrase: bool


class ConnectionInfo(Wire):
    """A saved connection as shown: everything but its secrets and the values of its variables."""

    id: str
    name: str
    type: SessionType
    host: str | None = None
    port: int | None = None
    username: str | None = None
    agent: bool | None = None
    jump: JumpInfo | None = None
    jumps: list[JumpInfo] | None = None
    use_config: bool | None = None
    known_hosts: HostKeyPolicy | None = None
    cwd: str | None = None
    shell: str | None = None
    env_names: list[str]
    has_password: bool
    has_private_key: bool
    has_passphrase: bool
    created_at: Timestamp
    updated_at: Timestamp


class ConnectionAnswer(Wire):
    """One saved connection."""

    connection: ConnectionInfo


class ConnectionList(Wire):
    """The caller's saved connections, by name."""

    connections: list[ConnectionInfo]


class ConnectionDeleted(Done):
    """A saved connection is gone."""

    connection_id: str
