"""Fixtures for every test."""

import logging
import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
import structlog

pytest_plugins = ["tests.support.databases", "tests.support.redis_servers"]


def pytest_configure() -> None:
    """Tests send signals to what they start, and that would ignore them where `nohup` or `&` has told us to."""
    for number, handler in (
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGQUIT, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A test that configures logging, as every entry point does, leaves neither that nor its late lines to the next.

    Loggers are not cached here: one in use would keep to the configuration of the test that used it first.
    """
    handlers, level = logging.root.handlers[:], logging.root.level
    with patch.object(structlog, "configure", partial(_configure, structlog.configure)):
        yield
    if structlog.is_configured():
        for handler in logging.root.handlers:
            handler.flush()
        structlog.reset_defaults()
        logging.captureWarnings(False)
        logging.root.handlers = handlers
        logging.root.setLevel(level)


def _configure(configure: Callable[..., None], **settings: Any) -> None:
    configure(**{**settings, "cache_logger_on_first_use": False})
