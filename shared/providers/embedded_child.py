"""One run of the embedded model's process: spawned, ready, watched, and gone without a trace."""

import asyncio
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import orjson

from shared.errors import UpstreamError, UpstreamTimeout
from shared.structured import get_logger

log = get_logger(__name__)

ALLOWED = frozenset(
    {"PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"}
)
END_SECONDS = 2.0
LINES_KEPT = 20
MAX_THREADS = 4
"""More don't make so small a model faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the process is to load, and how."""

    weights: Path
    alias: str
    context: int
    slots: int
    idle_seconds: int

    def command(self) -> list[str]:
        """The command line; the key is not on it, since every user of the machine can read that."""
        return [
            *(sys.executable, "-P", "-m", "shared.providers.embedded_server"),
            *("--model", str(self.weights), "--alias", self.alias, "--context", str(self.context)),
            *("--slots", str(self.slots), "--threads", str(threads()), "--idle-seconds", str(self.idle_seconds)),
            *("--parent", str(os.getpid())),
        ]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model answers, and the key that it wants."""

    base_url: str
    api_key: str = field(repr=False)


class Child:
    """A running server process. `on_exit` is told when it ends by itself."""

    def __init__(self, process: Process, endpoint: Endpoint, errors: "_ErrorOutput") -> None:
        self.endpoint = endpoint
        self._process = process
        self._errors = errors
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def spawn(cls, launch: Launch, *, timeout: float, command: list[str] | None = None) -> Self:
        """Start one and wait until it answers. Raises UpstreamError with the reason, and leaves nothing running."""
        key = secrets.token_urlsafe(32)
        # Not from a worker thread: on Linux the child dies with the thread that started it (PR_SET_PDEATHSIG).
        process = await asyncio.create_subprocess_exec(
            *(command or launch.command()),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd="/",
            env=environment(os.environ),
            start_new_session=True,
        )
        errors = _ErrorOutput(process)
        try:
            async with asyncio.timeout(timeout):
                address = await _address(process, key, errors)
        except BaseException as error:
            await _end(process)
            await errors.done()
            if isinstance(error, TimeoutError):
                raise UpstreamTimeout(
                    f"The embedded model was not ready within {timeout:g} seconds.", operator_detail=errors.text()
                ) from None
            raise
        return cls(process, Endpoint(f"{address}/v1", key), errors)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as the event loop has heard."""
        return self._process.returncode is None

    def watch(self, on_exit: Callable[["Child", str], None]) -> None:
        """Call `on_exit(child, reason)` once, when it has ended without having been told to."""
        self._watch = asyncio.create_task(self._wait(on_exit))

    async def ended(self, within: float) -> bool:
        """Whether it is dead, or dies within so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """End it and wait until it is gone."""
        if self._watch is not None:
            self._watch.cancel()
        await _end(self._process)
        await self._errors.done()

    async def _wait(self, on_exit: Callable[["Child", str], None]) -> None:
        code = await self._process.wait()
        await self._errors.done()
        reason = f"signal {-code}" if code < 0 else f"exit code {code}"
        log.warning("embedded model ended", pid=self.pid, reason=reason, last_output=self._errors.text())
        on_exit(self, reason)


class _ErrorOutput:
    """What the process writes to stderr: logged, and the end of it kept for a reason to give."""

    def __init__(self, process: Process) -> None:
        self._kept: deque[str] = deque(maxlen=LINES_KEPT)
        self._task = asyncio.create_task(self._pump(process))

    def text(self) -> str:
        """The last lines."""
        return "\n".join(self._kept)

    async def done(self) -> None:
        """Wait for the end of it, which comes when the process is gone."""
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._task
        except TimeoutError:
            pass

    async def _pump(self, process: Process) -> None:
        stream = process.stderr
        while stream is not None and (block := await stream.read(65_536)):
            for line in block.decode(errors="replace").splitlines():
                if line.strip():
                    self._kept.append(line[:500])
                    log.debug("embedded model", pid=process.pid, line=line[:2000])


async def _address(process: Process, key: str, errors: _ErrorOutput) -> str:
    """Hand the key over and read where it answers."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process was started without pipes")
    try:
        process.stdin.write(key.encode() + b"\n")
        await process.stdin.drain()
    except OSError:
        pass  # It has gone already, but may have said why.
    try:
        line = await process.stdout.readline()
    except ValueError:
        line = b""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        said = {}
    if not said.get("address"):
        await errors.done()
        raise UpstreamError(
            "The embedded model could not be started.",
            details=str(said.get("error", "")),
            operator_detail=errors.text(),
        )
    return str(said["address"])


async def _end(process: Process) -> None:
    """Terminate it, kill it when that is not heard, and reap it; even when we are cancelled meanwhile."""
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is not None:
        return
    try:
        _signal(process.terminate)
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
    except TimeoutError:
        _signal(process.kill)
        await process.wait()
    finally:
        if process.returncode is None:
            _signal(process.kill)


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except ProcessLookupError:
        pass


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the process sees of ours: no key, and the import path, so that it finds what we would find."""
    kept = {name: value for name, value in environ.items() if name in ALLOWED or name.startswith("LC_")}
    kept["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if os.path.isabs(path))
    return kept


def threads() -> int:
    """Threads for it: half the CPUs that we may use, up to the few that help.

    They wait for each other by spinning: as soon as one shares its CPU with other work all are slow. On two busy CPUs
    one thread was measured 20 times as fast as two (31 tokens/s against 1.3), on idle ones little slower (123, 150).
    """
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(MAX_THREADS, usable // 2))
