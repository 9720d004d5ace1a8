"""Saved connections: what is needed to open a session, its secrets sealed, each for its owner alone."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import SecretStr, ValidationError

from shared.domain.connections import ConnectionInfo, CreateConnection, JumpInfo, UpdateConnection
from shared.domain.targets import Jump, Target, TargetFields
from shared.errors import Conflict, NotFound, invalid_field
from shared.terminal.destinations import Aliases, Destinations

if TYPE_CHECKING:
    from sqlmodel import Session

    from shared.storage.database import Database
    from shared.storage.tables import ConnectionRow

SECRETS = ("password", "private_key", "passphrase")
HOPS = ("jump", "jumps")
MAX_PER_OWNER = 200


class Sealer(Protocol):
    """Seals text so that only this gateway can open it."""

    def seal(self, text: str) -> str:
        """The text, sealed."""

    def open(self, sealed: str) -> str:
        """The text that was sealed."""


class Connections:
    """The saved connections, and the targets made of them. All of it raises Unavailable when the database is away."""

    def __init__(
        self, database: "Database", sealer: Sealer, clock: Callable[[], datetime], aliases: Aliases | None = None
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._aliases = aliases

    async def list(self, owner: str) -> "list[ConnectionInfo]":
        """The owner's connections, by name."""
        from shared.storage import connection_rows

        rows = await self._database.read(lambda session: connection_rows.of_owner(session, owner))
        return [info for row in rows if (info := self._info_if_readable(row)) is not None]

    async def get(self, owner: str, connection_id: str) -> ConnectionInfo:
        """One of the owner's connections. Raises NotFound."""
        row = await self._row(owner, connection_id)
        self._readable(row)
        return self._info(row)

    async def target(self, owner: str, id_or_name: str, *, use_config: bool = False) -> Target:
        """What a connection leads to, with its secrets. Raises NotFound, Forbidden, InvalidInput."""
        return await self.target_of(owner, await self._fields(owner, id_or_name), use_config=use_config)

    async def target_of(self, owner: str, fields: TargetFields, *, use_config: bool = False) -> Target:
        """What the fields lead to, on the way of the owner's saved connections.

        With `use_config`, also of aliases, and by the keys in the SSH agent.

        Raises NotFound, Forbidden, InvalidInput.
        """
        destinations = Destinations(
            lambda id_or_name: self._fields(owner, id_or_name), self._aliases if use_config else None, agent=use_config
        )
        return await destinations.target(fields)

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
            merged = _merged(self._readable(row), request)
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
        self._database.unreadable.forget("connections", connection_id)

    async def _fields(self, owner: str, id_or_name: str) -> TargetFields:
        return self._readable(await self._row(owner, id_or_name, by_name=True))

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

    def _info_if_readable(self, row: "ConnectionRow") -> ConnectionInfo | None:
        from shared.storage import readable

        try:
            info = self._info(row)
        except readable.UNREADABLE as error:
            self._database.unreadable.note("connections", row.id, error)
            return None
        self._database.unreadable.forget("connections", row.id)
        return info

    def _readable(self, row: "ConnectionRow") -> CreateConnection:
        """What is stored of a connection. Raises Conflict when this version cannot read it."""
        from shared.storage import readable

        try:
            return self._opened(row)
        except readable.UNREADABLE as error:
            raise readable.refused("connection", row.id, error) from None

    def _opened(self, row: "ConnectionRow") -> CreateConnection:
        from shared.storage import readable

        secrets: dict[str, Any] = json.loads(self._sealer.open(row.sealed_secrets)) if row.sealed_secrets else {}
        fields = {**row.data, **secrets, "name": row.name, "type": row.type}
        for name in HOPS:
            if row.data.get(name) is not None:
                fields[name] = _joined(row.data[name], secrets.get(name))
        return readable.known_fields(CreateConnection, fields)

    def _info(self, row: "ConnectionRow") -> ConnectionInfo:
        opened = self._opened(row)
        return ConnectionInfo(
            id=row.id,
            name=row.name,
            created_at=row.created_at,
            updated_at=row.updated_at,
            env_names=sorted(opened.env or {}),
            jump=_hop_info(opened.jump) if opened.jump else None,
            jumps=[_hop_info(hop) for hop in opened.jumps] if opened.jumps else None,
            **_shown(opened, "type", "host", "port", "username", "agent", "use_config", "known_hosts", "cwd", "shell"),
            **_presence(opened),
        )


def _split(request: CreateConnection) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields to store as they are, and those to seal: secrets, and variables, which often are some."""
    plain = request.model_dump(
        mode="json", exclude_none=True, by_alias=False, exclude={"name", "type", *SECRETS, *HOPS, "env"}
    )
    secrets = _secrets_of(request)
    if request.env:
        secrets["env"] = dict(request.env)
    for name in HOPS:
        if (hops := getattr(request, name)) is not None:
            plain[name], secrets[name] = _parted(hops)
    return plain, secrets


def _parted(hops: Jump | Sequence[Jump]) -> tuple[Any, Any]:
    """What may be seen of hops, and their secrets, in the same places."""
    if not isinstance(hops, Jump):
        parts = [_parted(hop) for hop in hops]
        return [shown for shown, _ in parts], [hidden for _, hidden in parts]
    shown = hops.model_dump(mode="json", exclude_none=True, by_alias=False, exclude=set(SECRETS))
    return shown, _secrets_of(hops)


def _joined(shown: Any, hidden: Any) -> Any:
    """Hops, whole again."""
    if isinstance(shown, list):
        return [_joined(*parts) for parts in zip(shown, hidden, strict=True)]
    return {**shown, **(hidden or {})}


def _secrets_of(source: CreateConnection | Jump) -> dict[str, Any]:
    found = {name: getattr(source, name) for name in SECRETS}
    return {name: value.get_secret_value() for name, value in found.items() if isinstance(value, SecretStr)}


def _merged(before: CreateConnection, request: UpdateConnection) -> CreateConnection:
    """The connection as it is after the change. Raises InvalidInput when that does not fit together."""
    values: dict[str, Any] = {name: getattr(before, name) for name in CreateConnection.model_fields}
    values |= {name: getattr(request, name) for name in request.model_fields_set - {"id"}}
    if values["name"] is None:
        values["name"] = before.name
    if "private_key" in request.model_fields_set:  # these belonged to the key before
        values |= {name: getattr(request, name) for name in ("passphrase", "certificate")}
    _check_telnet_password(before, request, values)
    if before.jump and request.jump:
        values["jump"] = _with_secrets_of(before.jump, request.jump)
    if before.jumps and request.jumps:
        values["jumps"] = [_with_secrets_of(_same(before.jumps, hop) or hop, hop) for hop in request.jumps]
    try:
        return CreateConnection.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise invalid_field(".".join(str(part) for part in found["loc"]), found["msg"]) from None


def _check_telnet_password(before: CreateConnection, request: UpdateConnection, values: Mapping[str, Any]) -> None:
    """A telnet host reads the password that it is sent: a saved one stays with its host. Raises InvalidInput."""
    kept = before.type == "telnet" and before.password is not None and "password" not in request.model_fields_set
    if kept and (before.host, before.port or 23) != (values["host"], values["port"] or 23):
        raise invalid_field("password", "give it again with another host or port, or null to remove it")


def _with_secrets_of(before: Jump, after: Jump) -> Jump:
    """The jump host after a change: for the same login, secrets that are left out stay."""
    if _place(before) != _place(after):
        return after
    kept = {name: getattr(before, name) for name in SECRETS if name not in after.model_fields_set}
    return after if after.private_key else after.model_copy(update=kept)


def _same(hops: Sequence[Jump], wanted: Jump) -> Jump | None:
    return next((hop for hop in hops if _place(hop) == _place(wanted)), None)


def _place(hop: Jump) -> tuple[object, ...]:
    return hop.connection_id, hop.host, hop.port or 22, hop.username


def _hop_info(hop: Jump) -> JumpInfo:
    return JumpInfo(
        **{**_shown(hop, "connection_id", "host", "port", "username", "agent"), **_presence(hop)},
    )


def _shown(source: CreateConnection | Jump, *names: str) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def _presence(source: CreateConnection | Jump) -> Mapping[str, bool]:
    return {f"has_{name}": getattr(source, name) is not None for name in SECRETS}


def _unknown() -> NotFound:
    return NotFound("There is no such saved connection; list them to see their ids.", code="connection_not_found")
