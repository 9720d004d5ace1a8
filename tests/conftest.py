"""Fixtures for every test."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
import structlog

pytest_plugins = ["tests.support.databases", "tests.support.redis_servers"]


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
