"""The processes that are measured: started on a core of their own, watched, and ended whatever happens."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

START_SECONDS = 30.0
STOP_SECONDS = 8.0
LOG_BYTES = 4000
MIB = 1024 * 1024
CPU_CLOCK = 2
"""In the number of a process's own clock, as clock_getcpuclockid(3) makes it: the scheduler's."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the server runs and where the load and the mock do; None where there is no choice to be had."""

    server: int | None
    load: int | None

    @classmethod
    def found(cls) -> "Cores":
        """Two cores of this machine, if it has them and lets us choose."""
        if not hasattr(os, "sched_getaffinity"):
            return cls(None, None)
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[-1], usable[0]) if len(usable) > 1 else cls(None, None)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started inside the block runs on that core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds_of(process: psutil.Process) -> float:
    """CPU time of a process, and of those of its children that have ended; to the nanosecond where Linux tells."""
    used = process.cpu_times()
    own: float = used.user + used.system
    if sys.platform == "linux":
        with suppress(OSError):
            own = time.clock_gettime((~process.pid << 3) | CPU_CLOCK)
    return own + float(used.children_user + used.children_system)


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Child:
    """A process of ours, with everything that it starts. Its stdin stays open as long as we live."""

    def __init__(
        self, command: list[str], *, folder: Path, core: int | None, environ: dict[str, str], pipes: bool = False
    ) -> None:
        self._log = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as the process
        with on_core(core):
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if pipes else self._log,
                stderr=self._log,
                start_new_session=True,
            )
        self._watched = psutil.Process(self.process.pid)

    @property
    def tree(self) -> list[psutil.Process]:
        """The process and its descendants."""
        try:
            return [self._watched, *self._watched.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu_seconds(self) -> float:
        """CPU time of the whole tree since it was started."""
        total = 0.0
        for process in self.tree:
            with suppress(psutil.NoSuchProcess):
                total += cpu_seconds_of(process)
        return total

    def own_cpu_seconds(self) -> float:
        """The same of the process alone."""
        return cpu_seconds_of(self._watched)

    def own_rss_mib(self) -> float:
        """Resident memory of the process alone."""
        return float(self._watched.memory_info().rss) / MIB

    def rss_mib(self) -> float:
        """Resident memory of the whole tree."""
        total = 0
        for process in self.tree:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total / MIB

    def wait_for(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> float:
        """Seconds until `ready`. Raises RuntimeError when the process ends before, or takes too long."""
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            if ready():
                return time.perf_counter() - began
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise RuntimeError(f"{self.process.args!r} did not become ready:\n{self.log()}")

    def log(self) -> str:
        """The end of what it wrote."""
        descriptor = self._log.fileno()
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, LOG_BYTES, max(0, size - LOG_BYTES)).decode(errors="replace")

    def stop(self) -> None:
        """Ask it to end, then insist; nothing of it is left."""
        family = self.tree
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        with suppress(ProcessLookupError):
            self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        self._log.close()


def answers(port: int, path: str) -> Callable[[], bool]:
    """Whether a GET of that path is answered with 200."""
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n".encode()

    def ready() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.sendall(request)
                return connection.recv(12).endswith(b" 200")
        except OSError:
            return False

    return ready
