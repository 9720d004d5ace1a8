"""What all processes of a gateway have together, when one of them answers nonsense."""

import logging
from pathlib import Path
from typing import Any

import pytest

from shared.cluster.nodes import Nodes
from shared.domain.identity import LOCAL
from shared.gateway import open_gateway
from shared.operations import dispatch
from shared.operations import terminals as operations
from tests.support.http_gateway import settings_for
from tests.support.local_servers import table_server
from tests.support.mcp_stack import client_of, text_of


@pytest.mark.parametrize(
    "answer", [{"result": {"sessions": [{}]}}, {"result": 1}, {"error": "text"}, {}, [], b"<h1>Bad Gateway</h1>"]
)
async def test_a_process_that_answers_nonsense_is_named_as_missing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], answer: Any
) -> None:
    settings = settings_for(tmp_path, node_url=f"unix:{tmp_path}/node")
    async with open_gateway(settings) as gateway, table_server({"POST /internal/call": answer}) as server:
        await dispatch.call(gateway, LOCAL, operations.OPEN_TERMINAL, {"type": "local"})
        other = Nodes(gateway.database, gateway.clock, address=server.root)
        await other.announce()
        await gateway.nodes.refresh()
        listed = await dispatch.call(gateway, LOCAL, operations.LIST_TERMINALS, {})
        assert len(listed.sessions) == 1
        assert listed.incomplete == [other.id]
        async with client_of(gateway) as client:
            shown = await client.call_tool("list_terminals", {})
        assert f"Incomplete: 1 of the gateway's processes did not answer in time ({other.id})" in text_of(shown)
        for handler in logging.root.handlers:
            handler.flush()
        assert f"another process ({server.root}) did not answer" in capfd.readouterr().err
