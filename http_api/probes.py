"""What load balancers and orchestrators ask: `/livez` and `/readyz`, without credentials and under any Host."""

import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.responses import send_json
from shared.operations.system import degraded_parts, hindrances

if TYPE_CHECKING:
    from shared.gateway import Gateway

LIVE = "/livez"
READY = "/readyz"
ALIVE = b'{"status":"ok"}'
METHODS = frozenset({"GET", "HEAD"})
WATCHED_SECONDS = 300.0
"""Balancers ask more often than this."""


class Readiness:
    """Whether this process leaves its balancer, and whether there is one: something that asks for `/readyz`."""

    def __init__(self) -> None:
        self.leaving = False
        self._asked = float("-inf")

    def asked(self) -> None:
        """Note that `/readyz` was asked for."""
        self._asked = time.monotonic()

    @property
    def watched(self) -> bool:
        """Whether `/readyz` was asked for in the last minutes."""
        return time.monotonic() - self._asked <= WATCHED_SECONDS


class Probes:
    """Answers the two probes before the host guard, and passes everything else on.

    `/livez` says that the process and its event loop answer. `/readyz` is 503 while this process should get no
    requests, and names what is degraded. Both are read from memory and tell nothing else.
    """

    def __init__(self, app: ASGIApp, gateway: "Gateway", readiness: Readiness) -> None:
        self._app = app
        self._gateway = gateway
        self._readiness = readiness

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] in METHODS:
            if scope["path"] == LIVE:
                return send_json(scope, send, ALIVE)
            if scope["path"] == READY:
                return self._ready(scope, send)
        return self._app(scope, receive, send)

    def _ready(self, scope: Scope, send: Send) -> Awaitable[None]:
        self._readiness.asked()
        why_not = [*(["stopping"] if self._readiness.leaving else []), *hindrances(self._gateway)]
        degraded = degraded_parts(self._gateway)
        status = "not_ready" if why_not else "degraded" if degraded else "ok"
        body = orjson.dumps({"status": status, "reasons": why_not, "degraded": degraded})
        return send_json(scope, send, body, 503 if why_not else 200)
