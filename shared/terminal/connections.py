"""Saved connections: what is needed to open a session, its secrets sealed, each for its owner alone."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import SecretStr, ValidationError

from shared.domain.connections import ConnectionInfo, CreateConnection, JumpInfo, UpdateConnection
from shared.domain.targets import SshLogin, Target
from shared.errors import Conflict, NotFound, invalid_field

if TYPE_CHECKING:
    from sqlmodel import Session

    from shared.storage.database import Database
    from shared.storage.tables import ConnectionRow

SECRETS = ("password", "private_key", "passphrase")
MAX_PER_OWNER = 200


class Sealer(Protocol):
    """Seals text so that only this gateway can open it."""

    def seal(self, text: str) -> str:
        """The text, sealed."""

    def open(self, sealed: str) -> str:
        """The text that was sealed."""


class Connections:
    """The saved connections. All of it raises Unavailable when the database is away."""

    def __init__(self, database: "Database", sealer: Sealer, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock

    async def list(self, owner: str) -> "list[ConnectionInfo]":
        """The owner's connections, by name."""
        from shared.storage import connection_rows

        rows = await self._database.read(lambda session: connection_rows.of_owner(session, owner))
        return [self._info(row) for row in rows]

    async def get(self, owner: str, connection_id: str) -> ConnectionInfo:
        """One of the owner's connections. Raises NotFound."""
        return self._info(await self._row(owner, connection_id))

    async def target(self, owner: str, id_or_name: str) -> Target:
        """What a connection leads to, with its secrets. Raises NotFound."""
        return self._opened(await self._row(owner, id_or_name, by_name=True)).target()

    async def create(self, owner: str, request: CreateConnection) -> ConnectionInfo:
        """Save a new one. Raises Conflict when the owner has one of that name."""
        from shared.storage import connection_rows, exclusive

        now = self._clock()

        def write(session: "Session") -> "ConnectionRow":
            exclusive.alone(session, exclusive.SEALED)
            self._check_name(session, owner, request.name, None)
            if connection_rows.count(session, owner) >= MAX_PER_OWNER:
                raise Conflict(
                    f"You have {MAX_PER_OWNER} saved connections; delete one first.", code="too_many_connections"
                )
            row = self._sealed(f"conn-{token_hex(16)}", owner, request, created=now, updated=now)
            connection_rows.save(session, row)
            return row

        return self._info(await self._database.run(write))

    async def update(self, owner: str, request: UpdateConnection) -> ConnectionInfo:
        """Change the fields that are given. Raises NotFound, Conflict, InvalidInput."""
        from shared.storage import connection_rows, exclusive

        def write(session: "Session") -> "ConnectionRow":
            exclusive.alone(session, exclusive.SEALED)
            row = connection_rows.find(session, owner, request.id)
            if row is None:
                raise _unknown()
            merged = _merged(self._opened(row), request)
            self._check_name(session, owner, merged.name, row.id)
            changed = self._sealed(row.id, owner, merged, created=row.created_at, updated=self._clock())
            for name in ("name", "data", "sealed_secrets", "updated_at"):
                setattr(row, name, getattr(changed, name))
            connection_rows.save(session, row)
            return row

        return self._info(await self._database.run(write))

    async def delete(self, owner: str, connection_id: str) -> None:
        """Forget one. Raises NotFound."""
        from shared.storage import connection_rows

        if not await self._database.run(lambda session: connection_rows.delete(session, owner, connection_id)):
            raise _unknown()

    async def _row(self, owner: str, connection_id: str, *, by_name: bool = False) -> "ConnectionRow":
        from shared.storage import connection_rows

        def read(session: "Session") -> "ConnectionRow | None":
            found = connection_rows.find(session, owner, connection_id)
            return connection_rows.named(session, owner, connection_id) if found is None and by_name else found

        row = await self._database.read(read)
        if row is None:
            raise _unknown()
        return row

    def _check_name(self, session: "Session", owner: str, name: str, own_id: str | None) -> None:
        from shared.storage import connection_rows

        other = connection_rows.named(session, owner, name)
        if other is not None and other.id != own_id:
            raise Conflict(
                f"You have a saved connection named '{name}' already; choose another name.", code="connection_exists"
            )

    def _sealed(
        self, row_id: str, owner: str, request: CreateConnection, *, created: datetime, updated: datetime
    ) -> "ConnectionRow":
        from shared.storage.tables import ConnectionRow

        data, secrets = _split(request)
        return ConnectionRow(
            id=row_id,
            name=request.name,
            owner=owner,
            type=request.type or "local",
            data=data,
            sealed_secrets=self._sealer.seal(json.dumps(secrets)) if secrets else None,
            created_at=created,
            updated_at=updated,
        )

    def _opened(self, row: "ConnectionRow") -> CreateConnection:
        secrets: dict[str, Any] = json.loads(self._sealer.open(row.sealed_secrets)) if row.sealed_secrets else {}
        fields = {**row.data, **secrets}
        if isinstance(row.data.get("jump"), dict):
            fields["jump"] = {**row.data["jump"], **secrets.get("jump", {})}
        return CreateConnection.model_validate({**fields, "name": row.name, "type": row.type})

    def _info(self, row: "ConnectionRow") -> ConnectionInfo:
        opened = self._opened(row)
        jump = opened.jump
        return ConnectionInfo(
            id=row.id,
            name=row.name,
            created_at=row.created_at,
            updated_at=row.updated_at,
            env_names=sorted(opened.env or {}),
            jump=JumpInfo(**_shown(jump, "host", "port", "username", "agent"), **_presence(jump)) if jump else None,
            **_shown(opened, "type", "host", "port", "username", "agent", "known_hosts", "cwd", "shell"),
            **_presence(opened),
        )


def _split(request: CreateConnection) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields to store as they are, and those to seal: secrets, and variables, which often are some."""
    plain = request.model_dump(
        mode="json", exclude_none=True, by_alias=False, exclude={"name", "type", *SECRETS, "env"}
    )
    secrets = _secrets_of(request)
    if request.env:
        secrets["env"] = dict(request.env)
    if request.jump:
        plain["jump"] = {name: value for name, value in plain["jump"].items() if name not in SECRETS}
        if inner := _secrets_of(request.jump):
            secrets["jump"] = inner
    return plain, secrets


def _secrets_of(source: CreateConnection | SshLogin) -> dict[str, Any]:
    found = {name: getattr(source, name) for name in SECRETS}
    return {name: value.get_secret_value() for name, value in found.items() if isinstance(value, SecretStr)}


def _merged(before: CreateConnection, request: UpdateConnection) -> CreateConnection:
    """The connection as it is after the change. Raises InvalidInput when that does not fit together."""
    values: dict[str, Any] = {name: getattr(before, name) for name in CreateConnection.model_fields}
    values |= {name: getattr(request, name) for name in request.model_fields_set - {"id"}}
    if values["name"] is None:
        values["name"] = before.name
    if "private_key" in request.model_fields_set and "passphrase" not in request.model_fields_set:
        values["passphrase"] = None  # it belonged to the key before
    if before.jump and request.jump:
        values["jump"] = _with_secrets_of(before.jump, request.jump)
    try:
        return CreateConnection.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise invalid_field(".".join(str(part) for part in found["loc"]), found["msg"]) from None


def _with_secrets_of(before: SshLogin, after: SshLogin) -> SshLogin:
    """The jump host after a change: for the same login, secrets that are left out stay."""
    if (before.host, before.port, before.username) != (after.host, after.port, after.username):
        return after
    kept = {name: getattr(before, name) for name in SECRETS if name not in after.model_fields_set}
    return after if after.private_key else after.model_copy(update=kept)


def _shown(source: CreateConnection | SshLogin, *names: str) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def _presence(source: CreateConnection | SshLogin) -> Mapping[str, bool]:
    return {f"has_{name}": getattr(source, name) is not None for name in SECRETS}


def _unknown() -> NotFound:
    return NotFound("There is no such saved connection; list them to see their ids.", code="connection_not_found")
