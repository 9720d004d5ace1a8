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
    return None if found is None else (found, snapshot.layer_enabled[found.layer], _providers(gateway))


def health(gateway: "Gateway", caller: Caller) -> object:
    """What the gateway depends on."""
    redis = gateway.redis is not None and gateway.redis.ok
    return registry(gateway, caller), redis, gateway.database.reachable, tuple(gateway.dead_jobs)


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


def _providers(gateway: "Gateway") -> object:
    names = gateway.accounts_of_providers.names()
    return tuple((name, gateway.providers.healthy(name)) for name in names)
