"""The providers in use: built from accounts, replaced live, with the last word on the health of each."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from shared.domain.models import Model
from shared.providers.base import Probe, Provider
from shared.providers.vendors import Account, vendor_for

PROBE_SECONDS = 300.0
RETRY_SECONDS = 30.0


class Directory:
    """Name to provider, one for each of its keys. Reading it takes no lock; `replace` swaps in what has changed."""

    def __init__(self, build: Callable[[Account], Provider], clock: Callable[[], float] = time.monotonic) -> None:
        self._build = build
        self._clock = clock
        self._probed_at: dict[str, float] = {}
        self._providers: Mapping[str, tuple[Provider, ...]] = {}
        self._accounts: Mapping[str, Account] = {}
        self._health: dict[str, Probe] = {}
        self._changed = asyncio.Event()

    def get(self, name: str, key: int = 0) -> Provider | None:
        """The provider of that name with its key of that number, unless it is unknown or turned off."""
        found = self._providers.get(name, ())
        return found[key] if key < len(found) else None

    def keys(self, name: str) -> int:
        """How many keys there are to call a provider with; 1 where it needs none, 0 when there is no such provider."""
        return len(self._providers.get(name, ()))

    def may_bill(self, model: Model) -> bool:
        """Whether a model without a known price costs money all the same, as everything at its vendor does."""
        account = self._accounts.get(model.provider)
        return account is not None and vendor_for(account).bills(model.api_model_name)

    def names(self) -> tuple[str, ...]:
        """All providers in use."""
        return tuple(self._providers)

    def account(self, name: str) -> Account | None:
        """What the provider was built from."""
        return self._accounts.get(name)

    def serves(self, model: Model) -> bool:
        """Whether a model's provider can take it just now."""
        found = self._providers.get(model.provider)
        return found is not None and found[0].serves(model)

    def health(self, name: str) -> Probe:
        """The last probe or call; not healthy before the first."""
        return self._health.get(name, _NOT_PROBED)

    def healthy(self, name: str) -> bool:
        """Whether the provider is configured and its last probe or call succeeded."""
        provider = self.get(name)
        return provider is not None and provider.configured and self.health(name).healthy

    def report(self, name: str, probe: Probe) -> None:
        """Take a call's outcome as the last word."""
        known = self._health.get(name)
        if known is None or known.healthy != probe.healthy:
            self._health[name] = probe

    async def replace(self, accounts: Iterable[Account]) -> None:
        """Use these accounts from now on; what has not changed stays as it is."""
        wanted = {account.name: account for account in accounts if account.enabled}
        kept = {name: self._providers[name] for name, account in wanted.items() if self._accounts.get(name) == account}
        built = {name: self._built(account) for name, account in wanted.items() if name not in kept}
        gone = [provider for name, keyed in self._providers.items() if name not in kept for provider in keyed]
        self._providers = {**kept, **built}
        self._accounts = wanted
        for name in [name for name in self._health if name not in kept]:
            del self._health[name]
            self._probed_at.pop(name, None)
        for provider in gone:
            await provider.aclose()
        self._changed.set()

    async def probe(self, name: str) -> Probe:
        """Ask one provider how it is."""
        provider = self.get(name)
        probe = await provider.probe() if provider else _NOT_PROBED
        if provider is self.get(name):  # not one that was replaced while it was being asked
            self._probed_at[name] = self._clock()
            self._health[name] = probe
        return probe

    async def run(self, on_probe: Callable[[str, Probe], Awaitable[None]]) -> None:
        """Probe every provider now, and again from time to time, for ever: those in trouble, and local ones, oftener."""
        while True:
            self._changed.clear()
            due = [name for name in self.names() if self._due(name)]
            for name, probe in zip(due, await asyncio.gather(*map(self.probe, due)), strict=True):
                await on_probe(name, probe)
            try:
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def aclose(self) -> None:
        """Free every provider."""
        for keyed in self._providers.values():
            for provider in keyed:
                await provider.aclose()

    def _built(self, account: Account) -> tuple[Provider, ...]:
        return tuple(self._build(replace(account, api_key=key)) for key in account.keys or ("",))

    def _due(self, name: str) -> bool:
        steady = self.health(name).healthy and self._accounts[name].dialect != "local"
        age = self._clock() - self._probed_at.get(name, float("-inf"))
        return age >= (PROBE_SECONDS if steady else RETRY_SECONDS * 0.9)


_NOT_PROBED = Probe(healthy=False, detail="not asked yet")
