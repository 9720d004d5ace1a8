"""Somebody at a terminal session, who types and reads through the operations, as clients of every surface do."""

from types import SimpleNamespace
from typing import Any

from shared.domain.identity import LOCAL
from shared.operations import dispatch
from shared.operations import terminals as operations
from shared.operations.operation import Operation
from shared.terminal.sessions import Sessions
from tests.support.no_audit import NoAudit
from tests.support.no_command_limits import no_command_limits
from tests.support.nodes import alone


class Typist:
    """At one session. The waits are bounded; each fails the test when it ends for another reason than expected."""

    def __init__(self, sessions: Sessions, session_id: str) -> None:
        self.id = session_id
        self._gateway = SimpleNamespace(
            terminals=sessions,
            policy=SimpleNamespace(active=False),
            audit=NoAudit(),
            nodes=alone(),
            command_limits=no_command_limits(),
        )

    async def call(self, operation: Operation[Any, Any], **payload: Any) -> dict[str, Any]:
        answer = await dispatch.call(self._gateway, LOCAL, operation, {"id": self.id, **payload})  # type: ignore[arg-type]
        return dict(answer.model_dump(mode="json"))

    async def send(self, **payload: Any) -> dict[str, Any]:
        return await self.call(operations.SEND_TO_TERMINAL, **payload)

    async def read(self, **payload: Any) -> dict[str, Any]:
        return await self.call(operations.READ_TERMINAL, **payload)

    async def until(self, pattern: str, **payload: Any) -> dict[str, Any]:
        """Type and wait for output that matches."""
        return await self._wait("output", {"matched"}, payload, pattern=pattern)

    async def screen(self, pattern: str, **payload: Any) -> dict[str, Any]:
        """Type and wait for a screen that matches; the answer is the screen."""
        return await self._wait("screen", {"matched"}, payload, pattern=pattern, view="screen")

    async def prompt(self, *, ready: str = "prompt-like", **payload: Any) -> dict[str, Any]:
        """Type and wait for the prompt."""
        return await self._wait("prompt", {ready}, payload)

    async def _wait(self, kind: str, reasons: set[str], payload: dict[str, Any], **wait: Any) -> dict[str, Any]:
        wait = {"for": kind, "timeoutMs": 10_000, "strip": True, **wait, **payload.pop("wait", {})}
        answer = await self.send(**payload, wait=wait)
        assert answer["reason"] in reasons, answer
        return answer
