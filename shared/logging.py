"""Logs: structured, on stderr, redacted, written by a thread of their own so that no request waits for a terminal."""

import atexit
import contextlib
import logging
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "console", "json"]
Redact = Callable[[str], str]

ROOT = "gateway"
LINES_WAITING = 20_000
GATHER_SECONDS = 0.02
MOST_REDACTORS = 16
LEVELS = {"debug": 10, "info": 20, "warning": 30, "warn": 30, "error": 40, "exception": 40, "critical": 50}


def configure(level: str, form: Format = "auto", redact: Redact | None = None) -> None:
    """Set logging up for the whole process. `redact` masks secrets in a finished line."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if not console else _unchanged,
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    writer = _writer()
    if redact is not None:
        writer.redactors.append(redact)
    structlog.configure(
        processors=[_drop_below_level, *shared, render],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    handler.terminator = ""
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    set_level(level)


def set_level(level: str) -> None:
    """Change what is logged, while running."""
    logging.getLogger(ROOT).setLevel(LEVELS[level])
    logging.getLogger("asyncio").setLevel(logging.ERROR if level == "error" else logging.WARNING)


def _writer() -> "_Writer":
    """The process's one writer: two gateways in a process share stderr, and neither's secrets may show there."""
    for handler in logging.root.handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.stream, _Writer):
            return handler.stream
    return _Writer()


class _Writer:
    """A file and a logger at once: takes lines, and a daemon thread writes them to stderr."""

    def __init__(self) -> None:
        self.redactors: deque[Redact] = deque(maxlen=MOST_REDACTORS)
        self._lines: queue.SimpleQueue[str | threading.Event] = queue.SimpleQueue()
        self._lost = 0
        threading.Thread(target=self._run, name="log-writer", daemon=True).start()
        atexit.register(self.flush)

    def msg(self, line: str) -> None:
        """A log line from structlog."""
        self.write(line)

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = err = msg

    def write(self, line: str) -> None:
        """A log line from the standard library."""
        if self._lines.qsize() < LINES_WAITING:
            self._lines.put(line.rstrip("\n") + "\n")
        else:
            self._lost += 1

    def flush(self) -> None:
        """Wait, but not for long, until all lines so far are out."""
        done = threading.Event()
        self._lines.put(done)
        done.wait(1.0)

    def _run(self) -> None:
        while True:
            items = [self._lines.get()]
            time.sleep(GATHER_SECONDS)  # under load the thread then wakes seldom, and writes much at once
            with contextlib.suppress(queue.Empty):
                while True:
                    items.append(self._lines.get_nowait())
            self._write_out([item for item in items if isinstance(item, str)])
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()

    def _write_out(self, lines: list[str]) -> None:
        if self._lost:
            lines.append(f"({self._lost} log lines were lost: stderr is too slow)\n")
            self._lost = 0
        for redact in tuple(self.redactors):
            lines = [redact(line) for line in lines]
        with contextlib.suppress(OSError, ValueError):  # nobody reads stderr any more; the gateway goes on
            sys.stderr.write("".join(lines))
            sys.stderr.flush()


def _drop_below_level(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if not logging.getLogger(ROOT).isEnabledFor(LEVELS.get(method, 20)):
        raise structlog.DropEvent
    return event


def _unchanged(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return event


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
