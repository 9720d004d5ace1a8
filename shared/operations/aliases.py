"""Aliases of models: the rules by which unregistered names lead to layers and models."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from shared.domain.aliases import Alias, AliasName, rule_for
from shared.domain.identity import Caller
from shared.domain.models import LAYERS
from shared.domain.wire import Wire
from shared.errors import invalid_field
from shared.operations.models import check_unbounded
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway

TARGETS = ("auto", *LAYERS)
MOST = 500


class ListAliases(Wire):
    """All rules, or with `name` the one that counts for that name."""

    name: AliasName | None = None


class ListedAlias(Alias):
    """A rule, and the target that it leads to now."""

    leads_to: str


class AliasTable(Wire):
    """The rules in force, the first that matches counts. `is_default` says that no operator has set others."""

    is_default: bool
    aliases: list[ListedAlias]


class ChangeAliases(Wire):
    """All rules, in order; null returns to the default ones."""

    aliases: Annotated[list[Alias], Field(max_length=MOST)] | None


async def _list(gateway: "Gateway", caller: Caller, request: ListAliases) -> AliasTable:
    table = gateway.aliases.table
    if request.name is not None:
        rule = rule_for(request.name, table)
        table = () if rule is None else (rule,)
    return _shown(gateway, caller, table)


async def _change(gateway: "Gateway", caller: Caller, request: ChangeAliases) -> AliasTable:
    await check_unbounded(gateway, caller)
    table = None if request.aliases is None else tuple(request.aliases)
    _check(gateway, table or ())
    await gateway.aliases.replace(table)
    return _shown(gateway, caller, gateway.aliases.table)


def _shown(gateway: "Gateway", caller: Caller, table: tuple[Alias, ...]) -> AliasTable:
    able = gateway.naming.able(caller)
    return AliasTable(
        is_default=gateway.aliases.are_default,
        aliases=[ListedAlias(name=alias.name, targets=alias.targets, leads_to=alias.target(able)) for alias in table],
    )


def _check(gateway: "Gateway", table: tuple[Alias, ...]) -> None:
    """Raises InvalidInput for a name that stands there twice or means something already, and for an unknown target.

    A target that is in force already may be one whose model has been deleted: it must not stand in the way of a change.
    """
    seen = set[str]()
    known = {*TARGETS, *(target for alias in gateway.aliases.table for target in alias.targets)}
    for place, alias in enumerate(table):
        field, name = f"aliases.{place}.name", alias.name.lower()
        if alias.name in TARGETS:
            raise invalid_field(field, f"'{alias.name}' is a name of the router itself")
        if name in seen:
            raise invalid_field(field, f"there are two rules for '{alias.name}'")
        seen.add(name)
        for number, target in enumerate(alias.targets):
            if target not in known and not gateway.registry.snapshot.named(target):
                near = " or ".join(map(repr, gateway.registry.snapshot.nearest(target)))
                reason = f"'{target}' is neither 'auto', nor a layer, nor a registered model; did you mean {near}?"
                raise invalid_field(f"aliases.{place}.targets.{number}", reason)


LIST_ALIASES = Operation(
    name="list_aliases",
    summary="Show the aliases of models, and where each leads now",
    scope="models:read",
    effect="read",
    request=ListAliases,
    result=AliasTable,
    run=_list,
)
CHANGE_ALIASES = Operation(
    name="change_aliases",
    summary="Set the aliases of models, all at once",
    scope="models:write",
    effect="write",
    request=ChangeAliases,
    result=AliasTable,
    run=_change,
    audit=lambda request: request.model_dump(mode="json"),
)
