"""Values that differ once what they stand for has changed; all from memory, since they are taken twice a second."""

from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.errors import NotFound

if TYPE_CHECKING:
    from shared.gateway import Gateway


def lists(gateway: "Gateway", caller: Caller) -> object:
    """Which resources there are: the models, and the caller's sessions."""
    return tuple(gateway.registry.snapshot.models), tuple(session.id for session in gateway.terminals.list(caller.id))


def registry(gateway: "Gateway", _: Caller) -> object:
    """The models, and the providers that can be called."""
    return gateway.registry.snapshot.version, gateway.configuration.current, _providers(gateway)


def layers(gateway: "Gateway", _: Caller) -> object:
    """The layers and their models."""
    return gateway.registry.snapshot.version


def model(gateway: "Gateway", _: Caller, model_id: str) -> object:
    """One model."""
    snapshot = gateway.registry.snapshot
    found = snapshot.models.get(model_id)
    if found is None:
        return None
    return found, snapshot.layer_enabled[found.layer], gateway.configuration.current, _providers(gateway)


def health(gateway: "Gateway", caller: Caller) -> object:
    """What the gateway depends on."""
    redis = gateway.redis is not None and gateway.redis.ok
    return (
        registry(gateway, caller),
        redis,
        gateway.database.reachable,
        gateway.database.writable,
        gateway.jobs.restarting,
    )


def routing(gateway: "Gateway", caller: Caller) -> object:
    """Who may be asked, and who rests."""
    return registry(gateway, caller), frozenset(gateway.health.cooling_models())


def budget(gateway: "Gateway", caller: Caller) -> object:
    """How the budgets stand that bind the caller."""
    bound = gateway.budgets.bound(caller, {})
    return (gateway.ledger.totals.attempts, () if bound is None else bound.standings)


def usage(gateway: "Gateway", _: Caller) -> object:
    """What was used today."""
    return gateway.ledger.totals.attempts, gateway.ledger.today


def sessions(gateway: "Gateway", caller: Caller) -> object:
    """The caller's sessions, and how they are."""
    found = gateway.terminals.list(caller.id)
    return tuple((session.id, session.connected, session.info.title, session.info.exit_code) for session in found)


def session(gateway: "Gateway", caller: Caller, session_id: str) -> object:
    """What one session has shown."""
    try:
        found = gateway.terminals.get(caller.id, session_id)
    except NotFound:
        return None
    return found.end_cursor, found.connected


def screen(gateway: "Gateway", caller: Caller, session_id: str) -> object:
    """What the screen of one session shows, which another size changes without any output."""
    shown = session(gateway, caller, session_id)
    return shown and (shown, gateway.terminals.get(caller.id, session_id).size)


def _providers(gateway: "Gateway") -> object:
    """Where they are, and all that decides whether they can be called."""
    accounts, providers = gateway.accounts_of_providers.all(), gateway.providers
    return tuple(
        (
            account.name,
            account.base_url,
            account.enabled,
            _configured(gateway, account.name),
            providers.healthy(account.name),
        )
        for account in accounts
    )


def _configured(gateway: "Gateway", name: str) -> bool:
    provider = gateway.providers.get(name)
    return provider is not None and provider.configured
