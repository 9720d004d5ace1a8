"""Whether the gateway's processes can ask each other: each is tried at the address that it gives, this one too."""

import asyncio
import time
from collections.abc import Mapping

from shared.cluster.nodes import Nodes
from shared.cluster.peers import Peers
from shared.domain.nodes import Node
from shared.structured import get_logger

log = get_logger(__name__)

LOOK_SECONDS = 5.0
AGAIN_SECONDS = 30.0
"""Between two tries of a process that could not be asked."""


class Reach:
    """Tries each process once when it is new, and again while it cannot be asked."""

    def __init__(self, nodes: Nodes, peers: Peers) -> None:
        self._nodes = nodes
        self._peers = peers
        self._found: dict[str, str] = {}
        self._tried: dict[str, float] = {}

    @property
    def found(self) -> Mapping[str, str]:
        """By a process's id why it cannot be asked; empty when it can."""
        return self._found

    async def run(self) -> None:
        """Try them, for ever; nothing where there can be no others."""
        while not self._nodes.alone:
            await asyncio.sleep(LOOK_SECONDS)  # a process listens soon after it has said that it is there
            await self.look()

    async def look(self) -> None:
        """Try those that are new, and those that could not be asked."""
        nodes = [self._nodes.own, *self._nodes.others]
        self._found = {node.id: self._found[node.id] for node in nodes if node.id in self._found}
        for node in nodes:
            if node.id not in self._found or (self._found[node.id] and self._due(node)):
                await self._try(node)

    def _due(self, node: Node) -> bool:
        return time.monotonic() - self._tried[node.id] >= AGAIN_SECONDS

    async def _try(self, node: Node) -> None:
        problem = await self._peers.problem(node)
        if problem and problem != self._found.get(node.id):
            own = node.id == self._nodes.own.id
            log.warning(
                "this process cannot be asked at its own NODE_URL; set it to where the others reach this process"
                if own
                else "another process cannot be asked at its NODE_URL: its sessions are not reachable from here",
                node=node.id,
                address=node.address,
                problem=problem,
            )
        self._found[node.id], self._tried[node.id] = problem, time.monotonic()
