"""Providers: which there are, whether they have a key, how they are; keys go in and never come out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from shared.domain.identity import Caller
from shared.domain.models import ProviderName
from shared.domain.wire import NoInput, Wire
from shared.errors import Conflict
from shared.operations.operation import Operation
from shared.providers.vendors import VENDORS, Account, AddedDialect
from shared.registry.accounts import AccountChange

if TYPE_CHECKING:
    from shared.gateway import Gateway

BaseUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s\x00-\x1f@]+$", max_length=500)]
MOST_NAMED = 10
Key = Annotated[SecretStr, Field(max_length=1000)]


class ProviderState(Wire):
    """A provider without its secrets. `keys` counts those it can be called with; `detail` says which of them rest, and
    `models` counts its entries in the registry.
    """

    name: str
    dialect: str
    base_url: str
    has_key: bool
    keys: int
    enabled: bool
    configured: bool
    healthy: bool
    detail: str
    models: int


class ProviderStates(Wire):
    """All providers."""

    providers: list[ProviderState]


class AddProvider(Wire):
    """A further service that speaks the dialect of OpenAI, Anthropic or Ollama."""

    name: ProviderName
    base_url: BaseUrl
    dialect: AddedDialect = "openai"
    api_key: Key | None = None
    enabled: bool = True


class UpdateProvider(Wire):
    """What to set; an empty `apiKey` takes the stored key away."""

    name: ProviderName
    base_url: BaseUrl | None = None
    dialect: AddedDialect | None = None
    api_key: Key | None = None
    enabled: bool | None = None


class ProviderRef(Wire):
    """One provider."""

    name: ProviderName


class ChangedProvider(Wire):
    """The provider as it is now."""

    success: Literal[True] = True
    provider: ProviderState


class DeletedProvider(Wire):
    """The provider that is gone, or back to what the settings say."""

    success: Literal[True] = True
    name: str


async def _list(gateway: "Gateway", caller: Caller, request: NoInput) -> ProviderStates:
    return ProviderStates(providers=[_state(gateway, name) for name in gateway.accounts_of_providers.names()])


async def _add(gateway: "Gateway", caller: Caller, request: AddProvider) -> ChangedProvider:
    await gateway.accounts_of_providers.add(request.name, _change(request))
    await gateway.providers.probe(request.name)
    return ChangedProvider(provider=_state(gateway, request.name))


async def _update(gateway: "Gateway", caller: Caller, request: UpdateProvider) -> ChangedProvider:
    await gateway.accounts_of_providers.update(request.name, _change(request))
    await gateway.providers.probe(request.name)
    return ChangedProvider(provider=_state(gateway, request.name))


async def _delete(gateway: "Gateway", caller: Caller, request: ProviderRef) -> DeletedProvider:
    using = [model.id for model in gateway.registry.snapshot.models.values() if model.provider == request.name]
    if using and request.name not in VENDORS:  # one of the settings only returns to what they say
        raise Conflict(
            f"The provider '{request.name}' still has models: {', '.join(using[:MOST_NAMED])}"
            f"{', …' if using[MOST_NAMED:] else ''}. Delete them first, or turn the provider off with PUT.",
            code="provider_in_use",
            details={"models": using},
        )
    await gateway.accounts_of_providers.delete(request.name)
    return DeletedProvider(name=request.name)


def _change(request: AddProvider | UpdateProvider) -> AccountChange:
    return AccountChange(
        dialect=request.dialect,
        base_url=request.base_url,
        api_key=request.api_key.get_secret_value() if request.api_key is not None else None,
        enabled=request.enabled,
    )


def _state(gateway: "Gateway", name: str) -> ProviderState:
    account = gateway.accounts_of_providers.get(name)
    provider = gateway.providers.get(name)
    return ProviderState(
        name=name,
        dialect=account.dialect,
        base_url=account.base_url,
        has_key=bool(account.api_key),
        keys=len(account.keys),
        enabled=account.enabled,
        configured=provider is not None and provider.configured,
        healthy=gateway.providers.healthy(name),
        detail="; ".join(_details(gateway, account)) if account.enabled else "turned off",
        models=sum(model.provider == name for model in gateway.registry.snapshot.models.values()),
    )


def _details(gateway: "Gateway", account: Account) -> Iterator[str]:
    """What the last probe or call said, and the keys that rest."""
    if said := gateway.providers.health(account.name).detail:
        yield said
    for number, (seconds, code) in gateway.health.resting_keys(account.name).items():
        yield f"key {number + 1} of {len(account.keys)} is resting for {seconds:.0f} s: {code}"


LIST_PROVIDERS = Operation(
    name="list_providers",
    summary="List the providers, whether they have a key, and how they are",
    scope="models:read",
    effect="read",
    request=NoInput,
    result=ProviderStates,
    run=_list,
)
ADD_PROVIDER = Operation(
    name="add_provider",
    summary="Add an OpenAI- or Anthropic-compatible provider",
    scope="admin",
    effect="write",
    request=AddProvider,
    result=ChangedProvider,
    run=_add,
    audit=lambda request: {"name": request.name, "baseUrl": request.base_url},
)
UPDATE_PROVIDER = Operation(
    name="update_provider",
    summary="Set a provider's address or key, or turn it on or off",
    scope="admin",
    effect="write",
    request=UpdateProvider,
    result=ChangedProvider,
    run=_update,
    audit=lambda request: {"name": request.name, "baseUrl": request.base_url, "enabled": request.enabled},
)
DELETE_PROVIDER = Operation(
    name="delete_provider",
    summary="Take a provider away, or undo what was set over the settings",
    scope="admin",
    effect="destroy",
    request=ProviderRef,
    result=DeletedProvider,
    run=_delete,
    audit=lambda request: {"name": request.name},
)
