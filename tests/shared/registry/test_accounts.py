"""Provider accounts: settings overlaid with what operators set, keys sealed, changes live."""

from typing import Any

import pytest

from shared.errors import Conflict, InvalidInput, NotFound
from shared.providers.base import Probe
from shared.providers.directory import Directory
from shared.providers.vendors import Account
from shared.registry.accounts import AccountChange, ProviderAccounts
from shared.security.secrets_box import SecretsBox
from shared.storage import provider_rows
from shared.storage.database import Database

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
FROM_SETTINGS = Account(name="openai", dialect="openai", base_url="https://api.openai.com/v1", api_key="from-settings")


class Built:
    """A provider that only knows what it was built from."""

    reports_cost = False

    def __init__(self, account: Account) -> None:
        self.account = account
        self.name = account.name
        self.closed = False
        self.configured = True

    async def probe(self) -> Probe:
        return Probe(healthy=True)

    async def aclose(self) -> None:
        self.closed = True


async def accounts(database: Database) -> tuple[ProviderAccounts, Any]:
    directory: Any = Directory(Built)  # type: ignore[arg-type]
    found = ProviderAccounts(database, SecretsBox(KEY), directory, [FROM_SETTINGS])
    await found.refresh()
    return found, directory


async def test_a_key_set_at_run_time_wins_and_is_sealed_at_rest(database: Database) -> None:
    found, directory = await accounts(database)
    await found.update("openai", AccountChange(api_key="set-later"))
    assert directory.get("openai").account.api_key == "set-later"
    _, rows = await database.read(provider_rows.load)
    assert rows[0].sealed_key
    assert "set-later" not in rows[0].sealed_key
    assert (await accounts(database))[1].get("openai").account.api_key == "set-later"


async def test_an_empty_key_takes_the_stored_one_away(database: Database) -> None:
    found, directory = await accounts(database)
    await found.update("openai", AccountChange(api_key="set-later"))
    await found.update("openai", AccountChange(api_key=""))
    assert directory.get("openai").account.api_key == "from-settings"


async def test_a_change_replaces_only_that_provider(database: Database) -> None:
    found, directory = await accounts(database)
    await found.add("mine", AccountChange(base_url="http://127.0.0.1:1/v1"))
    before, other = directory.get("openai"), directory.get("mine")
    await found.update("mine", AccountChange(base_url="http://127.0.0.1:2/v1"))
    assert directory.get("openai") is before
    assert directory.get("mine") is not other
    assert other.closed


async def test_off_is_gone_from_routing_but_still_listed(database: Database) -> None:
    found, directory = await accounts(database)
    await found.update("openai", AccountChange(enabled=False))
    assert directory.get("openai") is None
    assert found.get("openai").enabled is False
    await found.update("openai", AccountChange(enabled=True))
    assert directory.get("openai") is not None


async def test_another_process_takes_it_over_with_its_next_refresh(database: Database) -> None:
    found, _ = await accounts(database)
    other, directory = await accounts(database)
    await found.add("mine", AccountChange(base_url="http://127.0.0.1:1/v1", api_key="k"))
    await other.refresh()
    assert directory.get("mine").account.api_key == "k"


async def test_deleting_returns_a_known_vendor_to_the_settings(database: Database) -> None:
    found, directory = await accounts(database)
    await found.update("openai", AccountChange(base_url="http://127.0.0.1:1/v1", api_key="theirs"))
    await found.delete("openai")
    assert directory.get("openai").account.base_url == FROM_SETTINGS.base_url
    with pytest.raises(Conflict):
        await found.delete("openai")


ELSEWHERE = [
    "http://127.0.0.1:1/v1",
    "http://api.openai.com/v1",
    "https://api.openai.com:444/v1",
    "https://api.openai.com.evil/",
]


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_a_key_goes_to_no_other_host_than_it_was_given_for(database: Database, address: str) -> None:
    found, directory = await accounts(database)
    home = "https://api.openai.com/v1"
    await found.add("mine", AccountChange(base_url=home, api_key="stored"))
    for name in ("openai", "mine"):
        with pytest.raises(InvalidInput, match="apiKey"):
            await found.update(name, AccountChange(base_url=address))
        await found.update(name, AccountChange(base_url=home + "/v2"))
        assert directory.get(name).account.api_key
        await found.update(name, AccountChange(base_url=address, api_key=""))
        assert not directory.get(name).account.api_key
        await found.update(name, AccountChange(api_key="another"))
        assert directory.get(name).account.api_key == "another"
        await found.update(name, AccountChange(api_key=""))
        assert not directory.get(name).account.api_key


async def test_what_does_not_fit_is_refused(database: Database) -> None:
    found, _ = await accounts(database)
    with pytest.raises(InvalidInput):
        await found.add("mine", AccountChange())
    with pytest.raises(Conflict):
        await found.add("openai", AccountChange(base_url="http://x/v1"))
    with pytest.raises(InvalidInput):
        await found.update("openai", AccountChange(dialect="anthropic"))
    for attempt in (found.update("nobody", AccountChange(enabled=True)), found.delete("nobody")):
        with pytest.raises(NotFound):
            await attempt
