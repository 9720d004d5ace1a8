"""What somebody types at a live terminal: every key is sent at once, and each line leaves one row in the audit trail."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shared.domain.identity import Caller
from shared.domain.terminal import Done, SessionRef, Typed
from shared.errors import GatewayError, InvalidInput
from shared.operations import dispatch, oversight, policing
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway

ACTION = "send_to_terminal"
"""The name of its rows, which tell the same as those of what is typed in one piece."""
LINE_ENDS = ("\r", "\n", "\x03", "\x04", "\x1a")
"""Enter, and what interrupts, ends or stops a program."""
LONGEST_BURST = 10.0
"""Seconds of typing that one row stands for, where no line ends, as in an editor."""


class TypeLive(SessionRef):
    """Some keys of a live terminal."""

    data: Typed


async def _type(gateway: "Gateway", caller: Caller, request: TypeLive) -> Done:
    session = await oversight.to_type_into(gateway, caller, request.id)
    await gateway.audit.require()
    await policing.permit_typing(gateway, caller, session)
    await session.send(request.data)
    return Done()


class LiveTyping:
    """One client at a session's terminal. What it typed last without ending a line is written down when it leaves."""

    def __init__(self, gateway: "Gateway", session_id: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._gateway = gateway
        self._id = session_id
        self._clock = clock
        self._characters = 0
        self._began = 0.0
        self._caller: Caller | None = None

    async def type(self, caller: Caller, payload: Mapping[str, Any]) -> None:
        """Type. Raises as `send` does; what was refused is written down at once."""
        try:
            await dispatch.call(self._gateway, caller, TYPE_LIVE, {**payload, "id": self._id})
        except InvalidInput:  # nothing that could be typed
            raise
        except GatewayError as error:
            self._count(caller, str(payload.get("data")))
            await self._record(error.code)
            raise
        data = str(payload["data"])
        self._count(caller, data)
        if data.endswith(LINE_ENDS) or self._clock() - self._began >= LONGEST_BURST:
            await self._record("ok")

    async def aclose(self) -> None:
        """Write down the rest."""
        await self._record("ok")

    def _count(self, caller: Caller, data: str) -> None:
        if not self._characters:
            self._began = self._clock()
        self._caller = caller
        self._characters += len(data)

    async def _record(self, outcome: str) -> None:
        if self._caller is None or not self._characters:
            return
        facts = {"sessionId": self._id, "characters": self._characters}
        self._characters = 0
        await self._gateway.audit.record(self._caller, ACTION, facts, outcome)


TYPE_LIVE = Operation(
    name="type_live",
    summary="Type at a live terminal (WebSocket).",
    scope="terminal",
    effect="execute",
    request=TypeLive,
    result=Done,
    run=_type,
)
