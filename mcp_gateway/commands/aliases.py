"""The rules behind `mcp-gateway models alias`: read, and changed one at a time."""

from collections.abc import Sequence

from mcp_gateway.commands.opening import call, with_gateway
from shared.domain.aliases import Alias
from shared.domain.identity import LOCAL
from shared.errors import NotFound
from shared.gateway import Gateway
from shared.operations import dispatch
from shared.operations.aliases import CHANGE_ALIASES, LIST_ALIASES, AliasTable


def listed(name: str | None) -> AliasTable:
    """All rules, or the one that counts for a name."""
    return call(LIST_ALIASES, {"name": name})


def changed(name: str | None, targets: Sequence[str], *, remove: bool) -> AliasTable:
    """Set or remove the rule of a name, and return the rules in force; without a name, return to the default rules."""

    async def work(gateway: Gateway) -> AliasTable:
        rules = None
        if name is not None:
            rules = _without(gateway.aliases.table, name) if remove else _with(gateway.aliases.table, name, targets)
        return await dispatch.call(gateway, LOCAL, CHANGE_ALIASES, {"aliases": rules})

    return with_gateway(work)


def _without(table: Sequence[Alias], name: str) -> list[dict[str, object]]:
    rest = [rule.model_dump() for rule in table if rule.name.lower() != name.lower()]
    if len(rest) == len(table):
        raise NotFound(
            f"There is no alias '{name}'. Run `mcp-gateway models alias` to see them.", code="alias_not_found"
        )
    return rest


def _with(table: Sequence[Alias], name: str, targets: Sequence[str]) -> list[dict[str, object]]:
    """The rules with one replaced where it stands, or put before all others."""
    new: dict[str, object] = {"name": name, "targets": [*targets]}
    if not any(rule.name.lower() == name.lower() for rule in table):
        return [new, *(rule.model_dump() for rule in table)]
    return [new if rule.name.lower() == name.lower() else rule.model_dump() for rule in table]
