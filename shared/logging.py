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
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from shared.domain.trace import current_id
from shared.structured import EventDict, Processor, WrappedLogger, structlog

Format = Literal["auto", "console", "json"]
Redact = Callable[[str], str]

LOGGER = logging.getLogger("gateway")
"""Holds the level of all that we log ourselves."""

LINES_WAITING = 20_000
GATHER_SECONDS = 0.02
MOST_REDACTORS = 16
LEVELS = {"debug": 10, "info": 20, "warning": 30, "warn": 30, "error": 40, "exception": 40, "critical": 50}


def configure(level: str, form: Format = "auto", redact: Redact | None = None) -> None:
    """Set logging up for the whole process. `redact` masks secrets in a finished line."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        _add_trace,
        _add_time,
        structlog.processors.format_exc_info,  # here, where the exception is: the thread that writes has none
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    writer = _writer()
    writer.render = lambda event: render(None, "", _readable_time(None, "", event))
    if redact is not None:
        writer.redactors.append(redact)
    structlog.configure(
        processors=[_drop_below_level, *shared, _handed_over],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _readable_time, render],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    set_level(level)


def set_level(level: str) -> None:
    """Change what is logged, while running."""
    LOGGER.setLevel(LEVELS[level])
    logging.getLogger("asyncio").setLevel(logging.ERROR if level == "error" else logging.WARNING)


def _writer() -> "_Writer":
    """The process's one writer: two gateways in a process share stderr, and neither's secrets may show there."""
    for handler in logging.root.handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.stream, _Writer):
            return handler.stream
    return _Writer()


class _Writer:
    """A file and a logger at once: takes lines, and a daemon thread writes them to stderr.

    What comes from structlog becomes a line only there, so that no request waits for its formatting.
    """

    def __init__(self) -> None:
        self.redactors: deque[Redact] = deque(maxlen=MOST_REDACTORS)
        self.render: Callable[[EventDict], Any] = str
        self._lines: queue.SimpleQueue[str | EventDict | threading.Event] = queue.SimpleQueue()
        self._lost = 0
        threading.Thread(target=self._run, name="log-writer", daemon=True).start()
        atexit.register(self.flush)

    def msg(self, event: EventDict) -> None:
        """An event from structlog."""
        self._put(event)

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = err = msg

    def write(self, line: str) -> None:
        """A log line from the standard library."""
        self._put(line)

    def _put(self, item: str | EventDict) -> None:
        if self._lines.qsize() < LINES_WAITING:
            self._lines.put(item)
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
            self._write_out([self._line(item) for item in items if not isinstance(item, threading.Event)])
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()

    def _line(self, item: str | EventDict) -> str:
        """One that cannot be rendered must not end the thread."""
        try:
            text = item if isinstance(item, str) else str(self.render(item))
        except (TypeError, ValueError, RuntimeError) as error:
            text = f"(a log line was lost: {error})"
        return text.rstrip("\n") + "\n"

    def _write_out(self, lines: list[str]) -> None:
        if self._lost:
            lines.append(f"({self._lost} log lines were lost: stderr is too slow)\n")
            self._lost = 0
        for redact in tuple(self.redactors):
            lines = [redact(line) for line in lines]
        with contextlib.suppress(OSError, ValueError):  # nobody reads stderr any more; the gateway goes on
            sys.stderr.write("".join(lines))
            sys.stderr.flush()


class _Handler(logging.StreamHandler[_Writer]):
    """Lines of the standard library's loggers. Whoever logs one does not wait until it is out, as `flush` does."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record))
        except Exception:  # noqa: BLE001 - as the standard library does it
            self.handleError(record)


def _drop_below_level(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if not LOGGER.isEnabledFor(LEVELS.get(method, 20)):
        raise structlog.DropEvent
    return event


def _add_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if trace_id := current_id():
        event.setdefault("trace_id", trace_id)
    return event


def _add_time(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["timestamp"] = time.time()
    return event


def _readable_time(_: WrappedLogger | None, __: str, event: EventDict) -> EventDict:
    moment = datetime.fromtimestamp(event["timestamp"], UTC)
    event["timestamp"] = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return event


def _handed_over(_: WrappedLogger, __: str, event: EventDict) -> tuple[tuple[EventDict], dict[str, Any]]:
    """Structlog calls the writer with these arguments."""
    return (event,), {}


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
