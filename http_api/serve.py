"""Running the HTTP surface: where it may listen, and what to say when it cannot."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import anyio

from http_api import memory
from http_api.app import App, GatewayOpener, Mounted, create_app
from http_api.limits import Limits
from http_api.server import LAST_SECONDS, Server, Shutdown
from shared.domain.nodes import UNIX
from shared.errors import GatewayError
from shared.settings import Settings

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

BACKLOG = 2048
NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""A host name may have an IPv6 address where there is no IPv6; its other address will do."""
EXIT_FAILED = 1
EXIT_REFUSED = 2

OnReady = Callable[[str], None]


class CannotServe(Exception):
    """The server may or can not listen there. The text says why and how to fix it."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run(
    settings: Settings,
    open_gateway: GatewayOpener,
    *,
    mounts: Sequence[Mounted] = (),
    on_ready: OnReady = lambda url: None,
    allow_open: bool = False,
    inherited: Sequence[int] = (),
) -> int:
    """Serve until SIGINT, SIGTERM or SIGHUP; returns the process's exit code.

    `allow_open` is `--insecure-no-auth`; `inherited` are descriptors of sockets that somebody else has bound for us.
    """
    memory.share_one_arena()
    try:
        sockets = [socket.socket(fileno=number) for number in inherited] or listen(settings, allow_open=allow_open)
        sockets += _for_other_processes(settings)
    except CannotServe as error:
        say(f"error: {error}")
        return error.exit_code
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(
                serve(
                    settings,
                    open_gateway,
                    sockets,
                    mounts=mounts,
                    on_ready=_settled(on_ready),
                    on_leaving=lambda: say("Stopping …"),
                    always_drain=bool(inherited),
                )
            )
    except GatewayError as error:
        say(f"error: {error.message}")
        return EXIT_FAILED
    say("Stopped.")
    return 0


def say(message: str) -> None:
    """A word for the person who started it, whose terminal may have gone."""
    with contextlib.suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)  # noqa: T201


def _settled(on_ready: OnReady) -> OnReady:
    def ready(url: str) -> None:
        on_ready(url)
        memory.settle()

    return ready


async def serve(
    settings: Settings,
    open_gateway: GatewayOpener,
    sockets: list[socket.socket],
    *,
    mounts: Sequence[Mounted] = (),
    on_ready: OnReady = lambda url: None,
    on_leaving: Callable[[], None] = lambda: None,
    always_drain: bool = False,
    handle_signals: bool = True,
) -> None:
    """Open the gateway and serve it on these sockets, until a signal or until this is cancelled.

    SIGTERM drains where a balancer was seen, or `always_drain`: one of several processes does not see every probe.

    Raises GatewayError when the gateway cannot be opened. Either way everything is closed when it returns.
    """
    app = create_app(open_gateway, mounts=mounts)

    def leave(drain: bool) -> float:
        seconds = settings.shutdown_drain if drain and (always_drain or app.readiness.watched) else 0.0
        on_leaving()
        app.leave(seconds + settings.shutdown_grace)
        return seconds

    server = Server(
        app,
        limits=Limits(
            connections=settings.max_connections,
            header_seconds=settings.header_timeout,
            header_bytes=settings.max_header_bytes,
            body_seconds=settings.body_timeout,
            stall_seconds=settings.stall_timeout,
        ),
        max_message_bytes=settings.max_body_bytes,
        on_ready=lambda: on_ready(url_of(settings.api_host, sockets[0])),
        shutdown=Shutdown(leave=leave, grace=settings.shutdown_grace, running=app.running, stop=app.stop),
        handle_signals=handle_signals,
    )
    serving = asyncio.get_running_loop().create_task(_serve(app, server, sockets))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.stop(grace=LAST_SECONDS)  # stdio, which this is beside, has gone
        with anyio.CancelScope(shield=True):
            await asyncio.wait({serving})
        raise


async def _serve(app: App, server: Server, sockets: list[socket.socket]) -> None:
    try:
        with server.capture_signals():  # also while the gateway opens and closes
            async with app.opened() as gateway:
                gateway.own_ports.update(_port(listener) for listener in sockets)
                if not server.should_exit:
                    await server.serve(sockets)
    finally:
        for listener in sockets:
            listener.close()


def _port(listener: socket.socket) -> int:
    """Its port; 0 of a socket file."""
    return 0 if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])


def listen(settings: Settings, *, allow_open: bool = False, shared: bool = False) -> list[socket.socket]:
    """The bound sockets. Raises CannotServe for an open door to the network, or a port that is not to be had.

    `shared` lets further sockets of ours be bound to the same port; the system then divides connections among them.
    """
    host, port = settings.api_host, settings.api_port
    addresses = _resolve(host, port)
    open_to_all = settings.auth_mode != "required" and not allow_open
    if open_to_all and not all(ipaddress.ip_address(address[0]).is_loopback for _, address in addresses):
        raise CannotServe(
            f"API_HOST={host} can be reached from other machines, but AUTH_MODE=local asks nobody who they are. "
            "Set AUTH_MODE=required, or API_HOST=127.0.0.1, or take the risk with --insecure-no-auth.",
            exit_code=EXIT_REFUSED,
        )
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for family, address in addresses:
        try:
            sockets.append(_bind(family, address, port, shared=shared))
            port = sockets[0].getsockname()[1]
        except OSError as error:
            if error.errno not in NO_SUCH_ADDRESS:
                for bound in sockets:
                    bound.close()
                raise _cannot_bind(host, port, error) from None
            missing = error
    if not sockets and missing is not None:
        raise _cannot_bind(host, port, missing) from None
    return sockets


def url_of(host: str, listener: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    port = listener.getsockname()[1]
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotServe(f"API_HOST={host} is no address of this machine: {error}.", exit_code=EXIT_FAILED) from None
    unique = dict.fromkeys((family, (str(address[0]), port)) for family, _, _, _, address in found)
    return list(unique)


def _bind(family: socket.AddressFamily, address: tuple[str, int], port: int, *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address[0], port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _for_other_processes(settings: Settings) -> list[socket.socket]:
    """A socket file, where that is how the gateway's other processes reach this one. Raises CannotServe."""
    if not settings.node_url.startswith(UNIX):
        return []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(settings.node_url.removeprefix(UNIX))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"NODE_URL={settings.node_url} cannot be used: {error.strerror or error}.", exit_code=EXIT_FAILED
        ) from None
    return [listener]


def _cannot_bind(host: str, port: int, error: OSError) -> CannotServe:
    if error.errno == errno.EADDRINUSE:
        message = (
            f"Port {port} on {host} is in use, perhaps by another gateway. "
            "Stop that one, or choose another port with API_PORT (0 takes a free one), as in `make run API_PORT=0`."
        )
    elif error.errno == errno.EACCES:
        message = f"Port {port} needs more rights than this process has; choose one above 1023 with API_PORT."
    else:
        message = f"Cannot listen on {host} port {port}: {error.strerror or error}. Check API_HOST and API_PORT."
    return CannotServe(message, exit_code=EXIT_FAILED)


def _loop_factory() -> "Callable[[], AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], AbstractEventLoop] = uvloop.new_event_loop
    return factory
