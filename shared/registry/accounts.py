"""Provider accounts: those of the settings, overlaid with what operators set at run time, keys encrypted at rest."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from sqlmodel import Session

from shared.errors import Conflict, GatewayError, InvalidInput, NotFound, invalid_field
from shared.providers.directory import Directory
from shared.providers.http.target import target_of
from shared.providers.vendors import VENDORS, Account, AddedDialect
from shared.security.secrets_box import SecretsBox
from shared.storage import exclusive, provider_rows
from shared.storage.database import Database
from shared.storage.tables import ProviderRow
from shared.structured import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What to set; None leaves a value as it is, an empty key takes the stored one away."""

    dialect: AddedDialect | None = None
    base_url: str | None = None
    api_key: str | None = None
    enabled: bool | None = None


class ProviderAccounts:
    """The accounts in force. Each change is stored before it takes effect, and reaches other processes by `refresh`."""

    def __init__(
        self,
        database: Database,
        box: SecretsBox,
        directory: Directory,
        from_settings: Iterable[Account],
        *,
        hide: Callable[[Iterable[str]], None] = lambda _: None,
        changed: Callable[[Collection[str]], None] = lambda _: None,
    ) -> None:
        """`hide` is told of every stored key, so that it shows nowhere; `changed` of the accounts that are others now."""
        self._hide = hide
        self._announce = changed
        self._database = database
        self._box = box
        self._directory = directory
        self._from_settings: Mapping[str, Account] = {account.name: account for account in from_settings}
        self._accounts: Mapping[str, Account] = self._from_settings
        self._version = -1
        self._lock = asyncio.Lock()

    def names(self) -> tuple[str, ...]:
        """All accounts, on or off."""
        return tuple(self._accounts)

    def all(self) -> tuple[Account, ...]:
        """All accounts, on or off."""
        return tuple(self._accounts.values())

    def get(self, name: str) -> Account:
        """One account. Raises NotFound."""
        found = self._accounts.get(name)
        if found is None:
            raise NotFound(
                f"There is no provider '{name}'; known are {', '.join(self._accounts)}.", code="provider_not_found"
            )
        return found

    async def refresh(self) -> None:
        """Take over what is stored, when it has changed."""
        if await self._database.read(provider_rows.version) != self._version:
            async with self._lock:
                await self._take(*await self._database.read(provider_rows.load))

    async def add(self, name: str, change: AccountChange) -> Account:
        """A further account. Raises Conflict when there is one of that name."""
        if not change.base_url:
            raise InvalidInput("'baseUrl' is not valid: this field is required.")

        def work(session: Session) -> None:
            if name in VENDORS or provider_rows.get(session, name):
                raise Conflict(f"A provider '{name}' exists already; change it with PUT.", code="provider_exists")
            provider_rows.put(session, self._row(ProviderRow(name=name, dialect=change.dialect or "openai"), change))

        await self._change(work)
        return self.get(name)

    async def update(self, name: str, change: AccountChange) -> Account:
        """Set some values of an account. Raises NotFound, InvalidInput.

        A key stays with whom it was given for: who may set an address could read it there otherwise.
        """
        known = self.get(name)
        if change.dialect and name in VENDORS and change.dialect != known.dialect:
            raise InvalidInput(f"The dialect of '{name}' cannot be changed; add a provider of another name.")
        if change.base_url and change.api_key is None and known.api_key and not _same(change.base_url, known.base_url):
            raise invalid_field("apiKey", "give the key for the new address too: the present one goes to no other host")

        def work(session: Session) -> None:
            row = provider_rows.get(session, name) or ProviderRow(
                name=name, dialect=known.dialect, enabled=known.enabled
            )
            provider_rows.put(session, self._row(row, change))

        await self._change(work)
        return self.get(name)

    async def delete(self, name: str) -> None:
        """Take an account away; one of the settings returns to what they say. Raises NotFound."""
        if name not in self._database.unreadable.of("providers"):
            self.get(name)

        def work(session: Session) -> None:
            if not provider_rows.delete(session, name) and name in VENDORS:
                raise Conflict(
                    f"'{name}' comes from the settings; take its key out there, or turn it off with PUT.",
                    code="provider_from_settings",
                )

        await self._change(work)

    def _row(self, row: ProviderRow, change: AccountChange) -> ProviderRow:
        values: dict[str, Any] = row.model_dump()
        for field in ("dialect", "base_url", "enabled"):
            if (value := getattr(change, field)) is not None:
                values[field] = value
        if change.api_key is not None:
            values["sealed_key"] = self._box.seal(change.api_key) if change.api_key else None
        return ProviderRow(**values)

    async def _change(self, work: Any) -> None:
        def versioned(session: Session) -> None:
            exclusive.alone(session, exclusive.SEALED)
            provider_rows.bump(session)
            work(session)

        async with self._lock:
            await self._database.run(versioned)
            await self._take(*await self._database.read(provider_rows.load))

    async def _take(self, version: int, rows: list[ProviderRow]) -> None:
        accounts = dict(self._from_settings)
        unreadable: dict[str, str] = {}
        for row in rows:
            if row.name in accounts or row.dialect in get_args(AddedDialect):
                accounts[row.name] = self._overlaid(accounts.get(row.name), row)
            else:
                unreadable[row.name] = "dialect: this version does not know it"
        self._database.unreadable.replace("providers", unreadable)
        self._hide(key.strip() for account in accounts.values() for key in account.api_key.split(","))
        before, self._accounts = self._accounts, accounts
        self._version = version
        await self._directory.replace(accounts.values())
        if changed := {name for name in {**before, **accounts} if before.get(name) != accounts.get(name)}:
            self._announce(changed)

    def _overlaid(self, base: Account | None, row: ProviderRow) -> Account:
        key = self._opened(row)
        if base is None:
            return Account(
                name=row.name,
                dialect=cast("AddedDialect", row.dialect),
                base_url=row.base_url or "",
                api_key=key or "",
                enabled=row.enabled,
            )
        address = row.base_url or base.base_url
        if key is None:
            key = base.api_key if _same(address, base.base_url) else ""
        return replace(
            base,
            base_url=address,
            api_key=key,
            enabled=row.enabled,
            from_settings=False,
        )

    def _opened(self, row: ProviderRow) -> str | None:
        """The stored key; one that no key of ours opens counts as none, so that the other providers go on."""
        if not row.sealed_key:
            return None
        try:
            return self._box.open(row.sealed_key)
        except GatewayError as error:
            log.error("a stored provider key cannot be opened; set it again", provider=row.name, reason=error.message)
            return None


def _same(address: str, known: str) -> bool:
    """Whether both are with one host, in the same way."""
    try:
        return target_of(address).origin == target_of(known).origin
    except ValueError:
        return False
