"""Rows of the database that this version of the gateway cannot read."""

from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.domain.wire import NoInput, Wire
from shared.operations.operation import Operation
from shared.storage.readable import Kind

if TYPE_CHECKING:
    from shared.gateway import Gateway


class UnreadableRow(Wire):
    """A row that is skipped, and why. It can be deleted by its id as if it could be read."""

    kind: Kind
    id: str
    reason: str


class UnreadableRowList(Wire):
    """All that this process knows of."""

    rows: list[UnreadableRow]


async def _list(gateway: "Gateway", _: Caller, __: NoInput) -> UnreadableRowList:
    found = gateway.database.unreadable.everything()
    return UnreadableRowList(rows=[UnreadableRow(kind=kind, id=name, reason=reason) for kind, name, reason in found])


LIST_UNREADABLE = Operation(
    name="list_unreadable_rows",
    summary="Models, keys, budgets and other rows that another version wrote and this one skips",
    scope="admin",
    effect="read",
    request=NoInput,
    result=UnreadableRowList,
    run=_list,
)
