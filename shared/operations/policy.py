"""The command policy: look at it, change it, try it on a command."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.domain.identity import Caller
from shared.domain.policy import ChangePolicy, CheckCommand, CommandVerdict, PolicyState
from shared.domain.wire import NoInput
from shared.operations import policing
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _get(gateway: "Gateway", caller: Caller, request: NoInput) -> PolicyState:
    return gateway.policy.state


async def _change(gateway: "Gateway", caller: Caller, request: ChangePolicy) -> PolicyState:
    return await gateway.policy.put(request.policy)


async def _check(gateway: "Gateway", caller: Caller, request: CheckCommand) -> CommandVerdict:
    from shared.terminal.policy.rules import Place

    who = caller if request.caller is None else replace(caller, id=request.caller, name=request.caller, role=None)
    names = () if request.connection is None else (request.connection,)
    place = Place(type=request.type, connection=names)
    verdict, seen = await policing.verdict_on(gateway, who, place, request.command, request.cwd)
    return CommandVerdict(
        action=verdict.action,
        policy=verdict.policy,
        rule=verdict.rule,
        reason=verdict.reason,
        decisive=verdict.decisive,
        seen=seen,
    )


def _changed(request: ChangePolicy) -> dict[str, Any]:
    return {"policy": None if request.policy is None else request.policy.model_dump(mode="json", exclude_defaults=True)}


GET_POLICY = Operation(
    name="get_command_policy",
    summary="Show the command policy in force, and where it comes from.",
    scope="admin",
    effect="read",
    request=NoInput,
    result=PolicyState,
    run=_get,
)

CHANGE_POLICY = Operation(
    name="change_command_policy",
    summary="Put a command policy into force, at once and in every process; null returns to the one in the file.",
    scope="admin",
    effect="write",
    request=ChangePolicy,
    result=PolicyState,
    run=_change,
    audit=_changed,
)

CHECK_COMMAND = Operation(
    name="check_command",
    summary="Say what the command policy makes of a command, without running it.",
    scope="admin",
    effect="read",
    request=CheckCommand,
    result=CommandVerdict,
    run=_check,
)
