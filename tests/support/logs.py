"""What a module logs, whoever has configured logging before."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

import structlog
from structlog.testing import capture_logs


@contextmanager
def logged_by(module: ModuleType) -> Iterator[list[Any]]:
    """The lines, as they come. A logger in use keeps to the configuration it began with, so it gets a new one."""
    with patch.object(module, "log", structlog.stdlib.get_logger()), capture_logs() as lines:
        yield lines
