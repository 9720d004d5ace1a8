"""The operations on saved connections, through the one door."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from shared.domain.identity import LOCAL
from shared.errors import NotFound
from shared.operations import connections as operations
from shared.operations import dispatch
from shared.operations.operation import Operation
from shared.security.secrets_box import SecretsBox
from shared.storage.database import Database
from shared.terminal.connections import Connections
from tests.support.clock import Clock
from tests.support.nodes import alone
from tests.support.terminals import make_sessions


class Gateway(SimpleNamespace):
    """As much of the gateway as saved connections need; it keeps what was audited."""

    async def require(self) -> None:
        """It can always write."""

    async def record(self, _: object, name: str, facts: dict[str, Any], outcome: str) -> None:
        self.audited.append((name, facts, outcome))

    async def call(self, operation: Operation[Any, Any], **payload: Any) -> Any:
        answer = await dispatch.call(self, LOCAL, operation, payload)  # type: ignore[arg-type]
        return answer.model_dump(mode="json")


@pytest.fixture
async def gateway(tmp_path: Path, database: Database) -> AsyncIterator[Gateway]:
    async with make_sessions(tmp_path) as sessions:
        box = SecretsBox(Fernet.generate_key().decode())
        made = Gateway(terminals=sessions, connections=Connections(database, box, Clock()), audited=[])
        made.policy = SimpleNamespace(active=False, remember=lambda *_, **__: None)
        made.audit, made.nodes = made, alone()
        yield made


async def test_a_connection_lives_through_all_of_its_operations(gateway: Gateway, tmp_path: Path) -> None:
    made = await gateway.call(operations.CREATE_CONNECTION, name="here", type="local", cwd="/usr", env={"T": "hunter1"})
    connection = made["connection"]
    assert connection["createdAt"] == "2026-11-24T06:00:00.000Z"
    assert await gateway.call(operations.LIST_CONNECTIONS) == {"connections": [connection]}
    assert await gateway.call(operations.GET_CONNECTION, id=connection["id"]) == made
    changed = await gateway.call(operations.UPDATE_CONNECTION, id=connection["id"], name="there")
    assert changed["connection"]["name"] == "there"
    opened = await gateway.call(operations.CONNECT_SAVED, id=connection["id"], title="mine", cols=100, rows=30)
    session = gateway.terminals.get(LOCAL.id, opened["session"]["id"])
    result = await session.execute(gateway.terminals.command('pwd; echo "$T"'))
    assert result.stdout == "/usr\nhunter1\n"
    gone = await gateway.call(operations.DELETE_CONNECTION, id=connection["id"])
    assert gone == {"success": True, "connectionId": connection["id"]}
    for operation in (operations.GET_CONNECTION, operations.DELETE_CONNECTION, operations.CONNECT_SAVED):
        with pytest.raises(NotFound):
            await gateway.call(operation, id=connection["id"])


async def test_what_is_audited_holds_no_secret(gateway: Gateway) -> None:
    fields = {"type": "ssh", "host": "h", "username": "u", "password": "hunter1", "env": {"T": "hunter2"}}
    made = await gateway.call(operations.CREATE_CONNECTION, name="server", **fields)
    await gateway.call(operations.UPDATE_CONNECTION, id=made["connection"]["id"], password="hunter3", port=2222)
    assert gateway.audited == [
        ("create_connection", {"name": "server", "type": "ssh", "host": "h", "username": "u", "env": ["T"]}, "ok"),
        ("update_connection", {"connectionId": made["connection"]["id"], "port": 2222}, "ok"),
    ]
