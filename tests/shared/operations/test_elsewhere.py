"""What all processes of a gateway have together, when one of them answers nonsense."""

from pathlib import Path
from typing import Any

import pytest

from shared.cluster.nodes import Nodes
from shared.domain.identity import LOCAL
from shared.gateway import open_gateway
from shared.operations import dispatch, elsewhere
from shared.operations import terminals as operations
from tests.support.http_gateway import settings_for
from tests.support.local_servers import table_server
from tests.support.logs import logged_by


@pytest.mark.parametrize(
    "answer", [{"result": {"sessions": [{}]}}, {"result": 1}, {"error": "text"}, {}, [], b"<h1>Bad Gateway</h1>"]
)
async def test_a_process_that_answers_nonsense_is_left_out(tmp_path: Path, answer: Any) -> None:
    settings = settings_for(tmp_path, node_url=f"unix:{tmp_path}/node")
    async with open_gateway(settings) as gateway, table_server({"POST /internal/call": answer}) as server:
        await dispatch.call(gateway, LOCAL, operations.OPEN_TERMINAL, {"type": "local"})
        await Nodes(gateway.database, gateway.clock, address=server.root).announce()
        await gateway.nodes.refresh()
        with logged_by(elsewhere) as lines:
            listed = await dispatch.call(gateway, LOCAL, operations.LIST_TERMINALS, {})
        assert len(listed.sessions) == 1
        assert [line["node"] for line in lines] == [server.root]
