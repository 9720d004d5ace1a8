"""What `/metrics` tells: of this process, and of the other workers of the same `serve`, whichever of them is asked."""

import asyncio
from pathlib import PurePath
from typing import TYPE_CHECKING

from http_api.metrics import Metrics
from shared.domain.measures import Family, gauge, merged
from shared.domain.nodes import UNIX, Node
from shared.errors import GatewayError
from shared.structured import get_logger
from shared.telemetry.core import families_of

if TYPE_CHECKING:
    from shared.gateway import Gateway

log = get_logger(__name__)

WORKER_SECONDS = 2.0
"""How long another worker may take to answer; without an answer it is shown as down."""


class Measuring:
    """The families of one process, and those of all workers together.

    Other machines are not asked: Prometheus reads each of them.
    """

    def __init__(self, gateway: "Gateway", metrics: Metrics) -> None:
        self._gateway = gateway
        self._metrics = metrics
        address = gateway.settings.node_url
        self._socket = PurePath(address.removeprefix(UNIX)) if address.startswith(UNIX) else None

    def own(self) -> list[Family]:
        """What this process measures."""
        return [*families_of(self._gateway), *self._metrics.families()]

    async def all(self) -> list[Family]:
        """What all workers measure; of a single process what it measures itself."""
        if self._socket is None:
            return self.own()
        others = {name: node for node in self._gateway.nodes.others if (name := self._worker(node)) is not None}
        answers = await asyncio.gather(*(self._asked(name, node) for name, node in others.items()))
        told = {name: found for name, found in zip(others, answers, strict=True) if found}
        there = {self._socket.stem: self.own(), **told}
        up = {name: name in there for name in sorted({self._socket.stem, *others})}
        return [gauge("gateway_worker_up", "Whether a worker answers.", up, ("worker",)), *merged(there)]

    def _worker(self, node: Node) -> str | None:
        """The number of another worker of the same `serve`; None for any other process."""
        path = PurePath(node.address.removeprefix(UNIX))
        ours = self._socket is not None and node.address.startswith(UNIX) and path.parent == self._socket.parent
        return path.stem if ours else None

    async def _asked(self, name: str, node: Node) -> list[Family]:
        try:
            return await self._gateway.peers.families(node, within=WORKER_SECONDS)
        except GatewayError as error:
            log.warning("a worker does not tell its metrics", worker=name, reason=error.operator_detail)
            return []
