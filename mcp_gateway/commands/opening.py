"""How a command gets the gateway: its own, in its own process, as the user of this machine."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mcp_gateway.commands import signals
from shared.domain.identity import LOCAL
from shared.domain.trace import begun, tracing
from shared.setting_sources import load_settings
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.operations.operation import Operation

T = TypeVar("T")


def settings_here(**overrides: Any) -> Settings:
    """The settings, with those of a `.env` in the current folder. Raises SettingsError."""
    return load_settings(directory=Path.cwd(), **overrides)


def with_gateway(work: "Callable[[Gateway], Awaitable[T]]") -> T:
    """Open the gateway, do the work, close it, after a signal too. Its log is quiet: a person reads what the command says."""
    return signals.run(_opened(settings_here(), work))


def call(operation: "Operation[Any, T]", payload: dict[str, Any], *, strict: bool = True) -> T:
    """Run one operation."""

    async def work(gateway: "Gateway") -> T:
        from shared.operations import dispatch

        return await dispatch.call(gateway, LOCAL, operation, payload, strict=strict)

    return with_gateway(work)


async def _opened(settings: Settings, work: "Callable[[Gateway], Awaitable[T]]") -> T:
    from shared import logging
    from shared.gateway import open_gateway

    level = "warning" if settings.log_level == "info" else settings.log_level
    async with open_gateway(quiet(settings, level)) as gateway:
        logging.set_level(level)
        with tracing(begun(os.environ.get("TRACEPARENT"))):
            return await work(gateway)


def quiet(settings: Settings, level: str) -> Settings:
    """The same settings for a command whose output is not to be mixed with the log's."""
    return settings.model_copy(update={"log_level": level})
