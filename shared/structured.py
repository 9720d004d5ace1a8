"""structlog's one home: it is loaded without rich, which costs 5 MiB and 30 ms and draws tracebacks with the values of variables."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Inside the block these modules cannot be imported; afterwards they are as they were."""
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None is how an import is refused
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


with _without("rich", "rich.pretty", "rich.traceback"):
    import structlog
    from structlog.stdlib import get_logger
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ("EventDict", "Processor", "WrappedLogger", "get_logger", "structlog")
