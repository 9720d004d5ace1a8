"""SIGTERM and SIGHUP end a command as Ctrl-C does: what is open is closed, and the exit code says which it was."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


def heeded() -> tuple[signal.Signals, ...]:
    """The signals that end a command: those of this platform that nobody (`nohup`) told us to ignore."""
    known = (getattr(signal.Signals, name, None) for name in NAMES)
    return tuple(number for number in known if number is not None and signal.getsignal(number) != signal.SIG_IGN)


def code_of(number: int) -> int:
    """The exit code of a command that a signal has ended, as shells count it."""
    return 128 + number


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise SystemExit, so that every `finally` is run; Ctrl-C raises already."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _exit) for number in heeded() if number != signal.SIGINT}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop of its own. A signal cancels it; once it has closed what it opened, SystemExit is raised."""
    received: list[int] = []

    async def watched() -> T:
        with _calling(asyncio.get_running_loop(), _stopper(asyncio.current_task(), received)):
            return await work

    try:
        return asyncio.run(watched())
    except (asyncio.CancelledError, Exception):
        if received:
            sys.exit(code_of(received[0]))
        raise


def _stopper(task: "asyncio.Task[Any] | None", received: list[int]) -> Callable[[int], None]:
    def stop(number: int) -> None:
        if received and number != signal.SIGINT:
            return  # a closing terminal says so more than once, and that must not cut the closing short
        received.append(number)
        if task is not None:
            task.cancel()
        if len(received) == 1:
            with suppress(OSError, ValueError, AttributeError):  # the terminal may be what has gone
                print("Stopping …", file=sys.stderr, flush=True)

    return stop


@contextmanager
def _calling(loop: asyncio.AbstractEventLoop, stop: Callable[[int], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in heeded()}
    for number in before:
        try:
            loop.add_signal_handler(number, stop, number)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda number, _: loop.call_soon_threadsafe(stop, number) and None)
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)


def _exit(number: int, _: object) -> None:
    for known in heeded():
        if known != signal.SIGINT:
            signal.signal(known, signal.SIG_IGN)
    sys.exit(code_of(number))
