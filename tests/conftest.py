"""Fixtures for every test."""

import gc
import logging
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import structlog

ROOT = Path(__file__).parent
WITH_TOOLS = frozenset({"agents", "architecture", "bench", "deploy", "scripts"})
"""Folders of tests that run the tools of whoever runs them."""

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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None]:
    """The garbage collector has nothing to find among the tests and modules that stay until the end, so it skips them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several workers none ends long after the others: files with slow tests begin first, then the largest ones."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        size = Counter(item.path for item in items)
        items.sort(key=lambda item: (item.path not in slow, -size[item.path], item.path))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home without the start-up files of whoever runs the tests."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def home(request: pytest.FixtureRequest, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells begin in an empty home; pip, npm and the like find their settings in the real one."""
    if not WITH_TOOLS.intersection(request.path.relative_to(ROOT).parts):
        monkeypatch.setenv("HOME", str(empty_home))


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
