"""The queue of commands that wait for somebody's leave."""

from typing import TYPE_CHECKING

from shared.domain.approvals import ApprovalAnswer, ApprovalList, ConfirmCommand, DecideApproval, ListApprovals
from shared.domain.identity import Caller
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _list(gateway: "Gateway", caller: Caller, request: ListApprovals) -> ApprovalList:
    return ApprovalList(approvals=await gateway.approvals.queue(request.status))


async def _decide(gateway: "Gateway", caller: Caller, request: DecideApproval) -> ApprovalAnswer:
    return ApprovalAnswer(approval=await gateway.approvals.decide(caller, request.id, request.decision))


async def _confirm(gateway: "Gateway", caller: Caller, request: ConfirmCommand) -> ApprovalAnswer:
    return ApprovalAnswer(approval=await gateway.approvals.confirm(caller, request.id, agreed=request.agreed))


LIST_APPROVALS = Operation(
    name="list_approvals",
    summary="The commands that wait for approval, and those approved that have not run yet.",
    scope="admin",
    effect="read",
    request=ListApprovals,
    result=ApprovalList,
    run=_list,
)

DECIDE_APPROVAL = Operation(
    name="decide_approval",
    summary="Approve or deny a command that waits. Nobody decides their own, but for the user of this machine.",
    scope="admin",
    effect="write",
    request=DecideApproval,
    result=ApprovalAnswer,
    run=_decide,
    audit=lambda request: {"approvalId": request.id, "decision": request.decision},
)

CONFIRM_COMMAND = Operation(
    name="confirm_command",
    summary="Note what the person behind the caller's client said to a command that waits.",
    scope="terminal",
    effect="write",
    request=ConfirmCommand,
    result=ApprovalAnswer,
    run=_confirm,
    audit=lambda request: {"approvalId": request.id, "agreed": request.agreed},
)
