"""What is known of one request while it is answered; it travels in the ASGI scope as `scope["gateway"]`."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.types import ASGIApp

from http_api.error_forms import ErrorFormat
from shared.domain.identity import ANONYMOUS, Caller, Scope
from shared.domain.trace import Trace
from shared.errors import GatewayError

SCOPE_KEY = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What one path leads to: an ASGI application for each method, and what is asked of a caller before it runs.

    `public` needs no credentials even where they are required; `scope` guards what is no operation (an operation
    guards itself). `limited` counts against the rate limits. `body_limit` is in bytes, None for the usual one.
    `carried_through` are the methods that are not broken off when the credentials end.
    """

    path: str
    methods: Mapping[str, ASGIApp] = field(repr=False)
    public: bool = False
    limited: bool = True
    scope: Scope | None = None
    body_limit: int | None = None
    carried_through: frozenset[str] = frozenset()


class Exchange:
    """One request and its answer. `added` holds the headers that every kind of answer to it carries.

    `status` is 0 until the answer has started, `ended` says that all of it is sent; `failure_event` makes
    the event that ends a server-sent event stream which fails, once one has started. `route` is what the path leads to, None for a mounted application; `failed_over` says that the gateway tried
    all it could by itself; `error_format` which form of errors the operator wants. `refusal` is raised once
    the rate limits have counted the request. `authenticate` looks at the credentials anew, for what lasts longer than
    they may: it gives the caller they stand for now, or raises Unauthenticated.
    """

    __slots__ = (
        "added",
        "address",
        "authenticate",
        "caller",
        "ended",
        "error_format",
        "failed_over",
        "failure_event",
        "headers",
        "params",
        "refusal",
        "request_id",
        "route",
        "sent",
        "started",
        "status",
        "trace",
    )

    def __init__(
        self, request_id: str, headers: Mapping[bytes, bytes], address: str, trace: Trace | None = None
    ) -> None:
        self.request_id = request_id
        self.headers = headers
        self.address = address
        self.trace = trace
        self.caller: Caller = ANONYMOUS
        self.authenticate: Callable[[], Caller] = _nobody
        self.route: Route | None = None
        self.params: dict[str, str] = {}
        self.added: list[tuple[bytes, bytes]] = [(b"x-request-id", request_id.encode("ascii"))]
        self.started = time.perf_counter()
        self.status = 0
        self.sent = 0
        self.ended = False
        self.failed_over = False
        self.failure_event: Callable[[GatewayError], bytes] | None = None
        self.refusal: GatewayError | None = None
        self.error_format: ErrorFormat = "auto"


def _nobody() -> Caller:
    return ANONYMOUS


def exchange_of(scope: Mapping[str, Any]) -> Exchange:
    """The exchange that the outermost middleware put there."""
    return cast("Exchange", scope[SCOPE_KEY])


def make_request_id() -> str:
    """A new one, for requests that bring none. It only has to be unlike the others, which needs no system call."""
    return f"{random.getrandbits(96):024x}"
