"""What a caller's target leads to; SSH configuration and agent are only for those whose they are."""

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.domain.targets import LocalTarget, Target
from shared.domain.terminal import OpenSession

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def target_of(gateway: "Gateway", caller: Caller, request: OpenSession) -> Target:
    """The target of a session to open. Raises NotFound, Forbidden, InvalidInput."""
    if request.connection_id is not None:
        return await saved(gateway, caller, request.connection_id)
    target = await gateway.connections.target_of(caller.id, request, use_config=may_use_config(gateway, caller))
    return target if request.sandbox or not isinstance(target, LocalTarget) else replace(target, sandbox=False)


async def saved(gateway: "Gateway", caller: Caller, id_or_name: str) -> Target:
    """The target of a saved connection. Raises NotFound, Forbidden, InvalidInput."""
    return await gateway.connections.target(caller.id, id_or_name, use_config=may_use_config(gateway, caller))


def may_use_config(gateway: "Gateway", caller: Caller) -> bool:
    """Whether SSH configuration and agent of the gateway's user are for this caller: they give the keys of that user."""
    if caller.kind == "key":
        return gateway.settings.ssh_config_for_keys
    return caller.kind == "local" or caller.role == "admin"
