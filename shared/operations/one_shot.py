"""One command without a session: here, or on the host of a saved connection."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from shared.domain.identity import Caller
from shared.domain.logins import LoginId
from shared.domain.targets import Environment, Id, LocalTarget, Path, Sudo, refuse
from shared.domain.terminal import Command as CommandText
from shared.domain.terminal import CommandAnswer, CommandResult, RunCommand, Sandboxed, Stdin, WithLeave
from shared.operations import host_leave, policing, targets
from shared.operations.operation import Operation
from shared.terminal.channel import Command

if TYPE_CHECKING:
    from shared.gateway import Gateway

MAX_AUDITED = 2000


class ExecuteOnce(WithLeave):
    """Run one command in a shell of its own and wait for its end."""

    command: CommandText
    cwd: Path | None = Field(None, description="Directory to run it in.")
    env: Environment | None = Field(None, repr=False, description="Environment variables to add.")
    stdin: Stdin | None = Field(None, repr=False, description="Text for its standard input, which is empty otherwise.")
    timeout_ms: Annotated[int, Field(ge=1)] | None = Field(None, description="Milliseconds it gets; 30000 by default.")
    max_output_bytes: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Bytes to keep of each output stream, from its beginning and its end."
    )
    connection_id: Id | None = Field(None, description="A saved connection to run it on; this machine by default.")
    login_id: LoginId = None
    sandbox: Sandboxed = True
    sudo: Sudo = False

    @model_validator(mode="after")
    def _sandbox_is_here(self) -> Self:
        if not self.sandbox and self.connection_id is not None:
            raise refuse("sandbox", "cannot be given together with 'connectionId'")
        return self


async def run_alone(
    gateway: "Gateway",
    caller: Caller,
    command: Command,
    *,
    connection: str | None,
    cwd: str | None,
    sandbox: bool,
    permit: policing.Permit,
) -> CommandResult:
    """Run a command that has leave, with no process of it left afterwards."""
    command = replace(command, permit=permit.again)
    if connection is None:
        return await gateway.terminals.execs.run(caller.id, LocalTarget(cwd=cwd, sandbox=sandbox), command)
    target = await targets.saved(gateway, caller, connection)
    target = await policing.permit_opening(gateway, caller, target, connection)
    return await host_leave.connecting(
        gateway, caller, lambda: gateway.terminals.execs.run(caller.id, target, command), permit.give_back
    )


def names_of(env: dict[str, str] | None) -> list[str] | None:
    """What the audit trail has of variables: their names, never the values."""
    return sorted(env) if env else None


async def _execute(gateway: "Gateway", caller: Caller, request: ExecuteOnce) -> CommandAnswer:
    connection, cwd = request.connection_id, request.cwd
    command = gateway.terminals.command(
        request.command,
        timeout=None if request.timeout_ms is None else request.timeout_ms / 1000,
        max_output_bytes=request.max_output_bytes,
        stdin=request.stdin,
        cwd=None if connection is None else cwd,
        env=request.env,
        sudo=request.sudo,
    )
    wanted = policing.Wanted.of(
        RunCommand(
            command=request.command,
            connection=connection,
            cwd=cwd,
            env=request.env,
            stdin=request.stdin,
            sandbox=request.sandbox,
            sudo=request.sudo,
            approval_id=request.approval_id,
            approval_wait_ms=request.approval_wait_ms,
        )
    )
    permit = await policing.permit(gateway, caller, wanted, connection=connection)
    async with gateway.command_limits.counted(caller, command.timeout) as seconds:
        command = replace(command, timeout=seconds)
        result = await run_alone(
            gateway, caller, command, connection=connection, cwd=cwd, sandbox=request.sandbox, permit=permit
        )
    return CommandAnswer(result=result)


def _executed(request: ExecuteOnce) -> dict[str, Any]:
    facts = {
        "command": request.command[:MAX_AUDITED],
        "connectionId": request.connection_id,
        "cwd": request.cwd,
        "env": names_of(request.env),
        "sandbox": None if request.sandbox else False,
        "sudo": request.sudo or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def ended(result: CommandResult) -> dict[str, Any]:
    """What the audit trail has of a command's end."""
    facts = {"exitCode": result.exit_code, "durationMs": result.duration_ms}
    return facts | {name: True for name, value in (("timedOut", result.timed_out),) if value}


EXECUTE_ONCE = Operation(
    name="execute_once",
    tool="run_command",
    summary="Run one command without a session, on this machine or on a saved connection.",
    scope="terminal",
    effect="execute",
    request=ExecuteOnce,
    result=CommandAnswer,
    run=_execute,
    audit=_executed,
    told=lambda answer: ended(answer.result),
)
