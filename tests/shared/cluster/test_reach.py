"""Each process is tried at the address that it gives."""

import pytest

from shared.cluster import reach
from shared.cluster.nodes import Nodes
from shared.cluster.peers import Peers
from shared.cluster.reach import Reach
from shared.security.node_signatures import NodeSignatures
from shared.storage.database import Database
from tests.support.byte_servers import always, serving, whole
from tests.support.clock import Clock
from tests.support.logs import logged_by


@pytest.mark.parametrize(
    ("status", "problem"),
    [("200 OK", ""), ("401 Unauthorized", "another process answers there"), ("404 Not Found", "HTTP 404")],
)
async def test_what_answers_at_an_address_is_told(database: Database, status: str, problem: str) -> None:
    clock = Clock()
    async with serving(always(whole(b"{}", status=status.encode()))) as server:
        own = Nodes(database, clock, address="http://127.0.0.1:9", monotonic=clock.seconds)
        other = Nodes(database, clock, address=f"http://127.0.0.1:{server.port}", monotonic=clock.seconds)
        await other.join()
        await own.join()
        peers = Peers(own, NodeSignatures(b"secret"), clock)
        tried = Reach(own, peers)
        with logged_by(reach) as lines:
            await tried.look()
            await tried.look()
        await peers.aclose()
    assert tried.found[other.id].startswith(problem)
    assert bool(tried.found[other.id]) == bool(problem)
    assert tried.found[own.id].startswith("not reachable")
    told = {line["node"]: line["event"] for line in lines}
    assert "its own NODE_URL" in told[own.id]
    assert len(lines) == 1 + bool(problem)  # once, not again and again


async def test_one_that_is_alone_tries_nothing(database: Database) -> None:
    nodes = Nodes(database, Clock())
    await Reach(nodes, Peers(nodes, NodeSignatures(b"secret"), Clock())).run()
