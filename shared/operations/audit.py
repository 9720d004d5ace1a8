"""The audit trail: read it, and check that nobody touched it."""

from typing import TYPE_CHECKING

from shared.domain.audit import AuditCheck, AuditPage, AuditQuery
from shared.domain.identity import Caller
from shared.domain.wire import NoInput
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _list(gateway: "Gateway", _: Caller, request: AuditQuery) -> AuditPage:
    return await gateway.audit.query(request)


async def _verify(gateway: "Gateway", _: Caller, __: NoInput) -> AuditCheck:
    return await gateway.audit.verify()


LIST_AUDIT = Operation(
    name="list_audit",
    summary="What was done by whom, newest first.",
    scope="admin",
    effect="read",
    request=AuditQuery,
    result=AuditPage,
    run=_list,
)

VERIFY_AUDIT = Operation(
    name="verify_audit",
    summary="Whether the audit trail is whole; else the first entry that was changed or is missing.",
    scope="admin",
    effect="read",
    request=NoInput,
    result=AuditCheck,
    run=_verify,
)
