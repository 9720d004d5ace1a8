"""The gateway behind the MCP surface: there already, or opened while the handshake is being answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from shared.errors import GatewayError, Unavailable
from shared.setting_sources import SettingsError

if TYPE_CHECKING:
    from shared.gateway import Gateway

log = logging.getLogger(__name__)

Ready = Callable[[], "Awaitable[Gateway]"]
"""Gives the gateway as soon as it is open. Raises Unavailable when it could not be opened."""

Opener = Callable[[], "AbstractAsyncContextManager[Gateway]"]


class OpeningCore:
    """A gateway that is opened, held and closed by a task of its own.

    `load` runs in a worker thread: it does the imports, which take most of a second, and gives what opens the gateway.
    """

    def __init__(self, load: Callable[[], Opener]) -> None:
        self._load = load
        self._opened: asyncio.Future[Gateway] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold())

    async def ready(self) -> "Gateway":
        """As Ready."""
        return await asyncio.shield(self._opened)

    @property
    def opened(self) -> "Gateway | None":
        """The gateway, None while it is not open."""
        opened = self._opened
        return opened.result() if opened.done() and not opened.cancelled() and opened.exception() is None else None

    async def aclose(self) -> None:
        """Close the gateway, or stop opening it; returns when it is closed."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _hold(self) -> None:
        try:
            opener = await asyncio.to_thread(self._load)
            async with opener() as gateway:
                self._opened.set_result(gateway)
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self._give_up(Unavailable("The gateway is shutting down."))
            raise
        except (GatewayError, SettingsError) as error:
            log.error("%s", error)
            self._give_up(error if isinstance(error, GatewayError) else Unavailable(str(error), code="wrong_settings"))
        except Exception as error:
            log.exception("the gateway could not be opened, or closed")
            self._give_up(Unavailable(f"The gateway could not be opened: {error or type(error).__name__}."))

    def _give_up(self, reason: GatewayError) -> None:
        if not self._opened.done():
            self._opened.set_exception(reason)
            self._opened.exception()  # marks it as seen: there may be no call to tell
