"""Terminal sessions: open, use, read and close them, and run commands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from shared.domain.identity import Caller
from shared.domain.run_events import RunBegun, RunEvent, RunFinished, RunOutput
from shared.domain.signals import SignalTerminal
from shared.domain.targets import SshTarget, Target, redacted
from shared.domain.terminal import (
    CommandAnswer,
    CommandResult,
    Done,
    Execute,
    ListSessions,
    OpenSession,
    Output,
    ReadOutput,
    Resize,
    RunAnswer,
    RunCommand,
    Send,
    Sent,
    SessionAnswer,
    SessionList,
    SessionRef,
)
from shared.errors import NotFound, TerminalError
from shared.operations import (
    background,
    host_leave,
    interactive,
    one_shot,
    oversight,
    policing,
    running_output,
    targets,
    unsandboxed,
)
from shared.operations.elsewhere import gather
from shared.operations.operation import Operation, StreamOperation
from shared.terminal.channel import OutputListener

if TYPE_CHECKING:
    from shared.gateway import Gateway

MAX_AUDITED = 2000
KEPT_FROM = 1024
"""Bytes of output that a surface may cut for a model, even if each of them takes six in JSON."""


async def open_session(gateway: "Gateway", caller: Caller, request: OpenSession) -> SessionAnswer:
    """Open a session on a target or on a saved connection."""
    target = await targets.target_of(gateway, caller, request)
    target = await policing.permit_opening(gateway, caller, target, request.connection_id)
    async with unsandboxed.leave_to_open(gateway, caller, target):
        session = await host_leave.connecting(
            gateway,
            caller,
            lambda: gateway.terminals.open(
                caller.id,
                target,
                cols=request.cols or 80,
                rows=request.rows or 24,
                title=request.title or _alias(request, target),
                encoding=request.encoding or "utf-8",
                record=request.record,
            ),
        )
    gateway.policy.remember(session, target, request.connection_id)
    return SessionAnswer(session=session.info)


def _alias(request: OpenSession, target: Target) -> str:
    """What the SSH configuration calls a host: several of its aliases may lead to one address."""
    named = request.host if isinstance(target, SshTarget) and request.host != target.login.host else None
    return named or ""


async def close_unknown(gateway: "Gateway", caller: Caller, answer: SessionAnswer) -> None:
    """Close a session whose opener will not learn its id."""
    try:
        await gateway.terminals.close(caller.id, answer.session.id)
    except NotFound:  # it has ended by itself
        return


async def _list(gateway: "Gateway", caller: Caller, request: ListSessions) -> SessionList:
    """Those of all processes, oldest first, and the processes that did not answer in time."""
    own, alone, asked = await _list_here(gateway, caller, request), gateway.nodes.alone, {"all": request.all}
    elsewhere, missing = ([], []) if alone else await gather(gateway, caller, LIST_TERMINALS_HERE, asked)
    sessions = [session for answer in (own, *elsewhere) for session in answer.sessions]
    return SessionList(sessions=sorted(sessions, key=lambda session: session.created_at), incomplete=missing)


async def _list_here(gateway: "Gateway", caller: Caller, request: ListSessions) -> SessionList:
    if request.all:
        oversight.check(gateway, caller)
    sessions = gateway.terminals.list(None if request.all else caller.id)
    return SessionList(sessions=[oversight.info_for(caller, session) for session in sessions])


async def _get(gateway: "Gateway", caller: Caller, request: SessionRef) -> SessionAnswer:
    return SessionAnswer(session=oversight.info_for(caller, oversight.found(gateway, caller, request.id)))


async def _execute(gateway: "Gateway", caller: Caller, request: Execute) -> CommandAnswer:
    session = gateway.terminals.get(caller.id, request.id)
    command = gateway.terminals.command(
        request.command,
        timeout=None if request.timeout_ms is None else request.timeout_ms / 1000,
        max_output_bytes=request.max_output_bytes,
        stdin=request.stdin,
        sudo=request.sudo,
    )
    permit = await policing.permit(gateway, caller, policing.Wanted.of(request), session=session)
    async with gateway.command_limits.counted(caller, command.timeout) as seconds:
        result = await session.execute(replace(command, timeout=seconds, permit=permit.again))
    return CommandAnswer(result=result)


async def _resize(gateway: "Gateway", caller: Caller, request: Resize) -> Done:
    await gateway.terminals.get(caller.id, request.id).resize(request.cols, request.rows)
    return Done()


async def _close(gateway: "Gateway", caller: Caller, request: SessionRef) -> Done:
    session = await oversight.to_close(gateway, caller, request.id)
    await gateway.terminals.close(session.owner, session.id, by=None if session.owner == caller.id else caller.name)
    return Done()


async def _run(gateway: "Gateway", caller: Caller, request: RunCommand) -> RunAnswer:
    async with _run_events(gateway, caller, request) as events:
        async for event in events:
            if isinstance(event, RunFinished):
                return RunAnswer(result=event.result)
            if isinstance(event, RunBegun):
                return RunAnswer(session=event.session)
    raise TerminalError("The command ended without a result; try again.")


@asynccontextmanager
async def _run_events(
    gateway: "Gateway", caller: Caller, request: RunCommand
) -> AsyncIterator[AsyncIterator[RunEvent]]:
    """The output of a command as it comes, then its result. Leaving the block ends the command and its processes.

    One in the background is only begun, and goes on.
    """
    session = None if request.session_id is None else gateway.terminals.get(caller.id, request.session_id)
    wanted = policing.Wanted.of(request)
    permit = await policing.permit(gateway, caller, wanted, session=session, connection=request.connection)
    if request.background:
        gateway.command_limits.check_typing(caller)
        yield _only(RunBegun(await background.begin(gateway, caller, request, permit)))
        return
    waiting = running_output.Waiting()
    work = asyncio.get_running_loop().create_task(_run_to_the_end(gateway, caller, request, waiting.add, permit))
    work.add_done_callback(lambda _: waiting.changed.set())
    try:
        yield running_output.events(work, waiting)
    finally:
        work.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # seen, also by those who left before the end


async def _only(event: RunEvent) -> AsyncIterator[RunEvent]:
    yield event


async def _close_begun(gateway: "Gateway", caller: Caller, answer: RunAnswer) -> None:
    """End a command in the background whose session nobody will learn of."""
    if answer.session is not None:
        await close_unknown(gateway, caller, SessionAnswer(session=answer.session))


async def _run_to_the_end(
    gateway: "Gateway",
    caller: Caller,
    request: RunCommand,
    on_output: OutputListener,
    permit: policing.Permit,
) -> CommandResult:
    terminals = gateway.terminals
    alone = request.session_id is None and request.connection is None
    command = terminals.command(
        request.command,
        timeout=request.timeout_seconds,
        timeout_field="timeoutSeconds",
        stdin=request.stdin,
        cwd=None if alone else request.cwd,
        env=request.env,
        on_output=on_output,
        keep_from=KEPT_FROM,
        sudo=request.sudo,
    )
    async with gateway.command_limits.counted(caller, command.timeout) as seconds:
        command = replace(command, timeout=seconds, permit=permit.again)
        if request.session_id is not None:
            return await terminals.get(caller.id, request.session_id).execute(command)
        return await one_shot.run_alone(
            gateway,
            caller,
            command,
            connection=request.connection,
            cwd=request.cwd,
            sandbox=request.sandbox,
            permit=permit,
        )


def _opened(request: OpenSession) -> dict[str, Any]:
    if request.connection_id is not None:
        return {"connectionId": request.connection_id}
    return {**redacted(request), **({} if request.sandbox else {"sandbox": False})}


def _executed(request: Execute) -> dict[str, Any]:
    facts = {"sessionId": request.id, "command": request.command[:MAX_AUDITED]}
    return {**facts, "sudo": True} if request.sudo else facts


def _ran(request: RunCommand) -> dict[str, Any]:
    facts = {
        "command": request.command[:MAX_AUDITED],
        "sessionId": request.session_id,
        "connection": request.connection,
        "cwd": request.cwd,
        "background": request.background or None,
        "env": one_shot.names_of(request.env),
        "sandbox": None if request.sandbox else False,
        "sudo": request.sudo or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _ended(said: RunAnswer | RunEvent) -> dict[str, Any]:
    """What the audit trail has of a run's end, or of the session where it goes on."""
    if isinstance(said, RunOutput):
        return {}
    if isinstance(said, RunFinished):
        return one_shot.ended(said.result)
    if isinstance(said, RunAnswer) and said.result is not None:
        return one_shot.ended(said.result)
    return {} if said.session is None else {"sessionId": said.session.id}


OPEN_TERMINAL = Operation(
    name="open_terminal",
    summary="Open a terminal session on this machine, over SSH or over telnet.",
    scope="terminal",
    effect="execute",
    request=OpenSession,
    result=SessionAnswer,
    run=open_session,
    undo=close_unknown,
    audit=_opened,
    told=lambda answer: {"sessionId": answer.session.id},
)

LIST_TERMINALS = Operation(
    name="list_terminals",
    summary="Your open terminal sessions; for an administrator, those of all callers.",
    scope="terminal",
    effect="read",
    request=ListSessions,
    result=SessionList,
    run=_list,
)

LIST_TERMINALS_HERE = Operation(
    name="list_terminals_here",
    summary="Your open terminal sessions in one process of the gateway.",
    scope="terminal",
    effect="read",
    request=ListSessions,
    result=SessionList,
    run=_list_here,
)

GET_TERMINAL = Operation(
    name="get_terminal",
    summary="One terminal session.",
    scope="terminal",
    effect="read",
    request=SessionRef,
    result=SessionAnswer,
    run=_get,
)

EXECUTE_COMMAND = Operation(
    name="execute_command",
    tool="run_command",
    summary="Run a command in a terminal session to its end. The session keeps `cd` and `export` for the next one.",
    scope="terminal",
    effect="execute",
    request=Execute,
    result=CommandAnswer,
    run=_execute,
    audit=_executed,
    told=lambda answer: one_shot.ended(answer.result),
)

SEND_TO_TERMINAL = Operation(
    name="send_to_terminal",
    summary="Type into the interactive shell of a terminal session, and wait for what it answers.",
    scope="terminal",
    effect="execute",
    request=Send,
    result=Sent,
    run=interactive.send,
    audit=interactive.sent,
)

SIGNAL_TERMINAL = Operation(
    name="signal_terminal",
    summary="Send a signal to the job in front on a session's terminal, or to its command in the background.",
    scope="terminal",
    effect="execute",
    request=SignalTerminal,
    result=Done,
    run=interactive.signal,
    audit=lambda request: {"sessionId": request.id, "signal": request.signal},
)

RESIZE_TERMINAL = Operation(
    name="resize_terminal",
    summary="Change the size of a terminal session's screen.",
    scope="terminal",
    effect="write",
    request=Resize,
    result=Done,
    run=_resize,
)

READ_TERMINAL = Operation(
    name="read_terminal",
    summary="Read what the interactive shell of a terminal session has shown, or its screen.",
    scope="terminal",
    effect="read",
    request=ReadOutput,
    result=Output,
    run=interactive.read,
)

CLOSE_TERMINAL = Operation(
    name="close_terminal",
    summary="Close a terminal session; everything that runs in it is ended.",
    scope="terminal",
    effect="destroy",
    request=SessionRef,
    result=Done,
    run=_close,
    audit=lambda request: {"sessionId": request.id},
)

RUN_COMMAND = Operation(
    name="run_command",
    tool="run_command",
    summary="Run a command once, or in an open session, to its end; or begin one in the background.",
    scope="terminal",
    effect="execute",
    request=RunCommand,
    result=RunAnswer,
    run=_run,
    undo=_close_begun,
    audit=_ran,
    told=_ended,
)

RUN_COMMAND_EVENTS = StreamOperation(
    name="run_command_events",
    tool="run_command",
    summary="Run a command and follow its output while it runs.",
    scope="terminal",
    effect="execute",
    request=RunCommand,
    open=_run_events,
    audit=_ran,
    told=_ended,
    events=(RunOutput, RunFinished, RunBegun),
)
