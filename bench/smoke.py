"""What one chat costs in things that can be counted, and that are the same on every machine and on every run.

`python bench/smoke.py` shows them; a test holds them against BOUNDS. The gateway runs in a process of its own, with
everything on, and counts between one request and the next, with one client that sends them one after another.
"""

import argparse
import asyncio
import gc
import http.client
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
REQUESTS = 60
WARM = 20
KEY = "a secret that no key has"

BOUNDS = {
    "calls of our own functions": 385,
    "calls of Python functions": 570,
    "tasks": 1,
    "statements while it runs": 0,
    "modules loaded": 0,
    "log lines": 1,
    "objects left to the garbage collector": 0,
    "calls of Python functions in a stream of 200 tokens": 3000,
    "tasks in a stream": 1,
}
"""For one chat. They stand a tenth or so above what was counted when they were last set: whoever needs more says why,
and raises them here.
"""


def main() -> None:
    """Count, and show."""
    for name, value in counted().items():
        print(f"{name:52} {value:8.1f}   at most {BOUNDS[name]}")


def counted() -> dict[str, float]:
    """Everything that BOUNDS names."""
    with running({}) as gateway:
        for stream in (False, True):
            ask(gateway.port, stream=stream)
        return gateway.finished()


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that counts."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    def finished(self) -> dict[str, float]:
        """End it; what it counted. It is to have answered `ask` twice."""
        out, _ = self.process.communicate(timeout=60)
        found: dict[str, float] = json.loads(out or _failed(self.log))
        found["log lines"] = self.log.read_bytes().count(b'"request"') / (2 * (WARM + REQUESTS))
        return found


@contextmanager
def running(settings: Mapping[str, str], script: Path = HERE / "smoke.py") -> Iterator[Running]:
    """One that the script serves, with these settings besides its own, in front of the mock; gone after the block."""
    with tempfile.TemporaryDirectory(prefix="smoke-", ignore_cleanup_errors=True) as folder:
        mock_port = _free_port()
        mock = subprocess.Popen(
            [sys.executable, str(HERE / "mock_upstream.py"), str(mock_port)], stdin=subprocess.PIPE, cwd=folder
        )
        log = Path(folder, "log")
        with log.open("wb") as lines:
            child = subprocess.Popen(
                [sys.executable, str(script), folder, str(mock_port), json.dumps(dict(settings))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=lines,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        try:
            assert child.stdout is not None
            yield Running(int(child.stdout.readline() or _failed(log)), child, log)
        finally:
            for process in (child, mock):
                process.kill()
                process.communicate()


def _failed(log: Path) -> Any:
    raise RuntimeError(f"the gateway did not come up:\n{log.read_text()[-3000:]}")


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, *, stream: bool) -> None:
    """Chats one after another on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    payload: dict[str, Any] = {"model": "mock", "messages": [{"role": "user", "content": "hello " * 100}] * 7}
    body = json.dumps(payload | ({"stream": True} if stream else {}))
    for _ in range(WARM + REQUESTS):
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or b"usage" not in text:
            raise RuntimeError(f"{answer.status}: {text[:500]!r}")
    connection.close()


class Tally:
    """Counts while requests come, one at a time: `steps` holds what stood there when each one began."""

    def __init__(self) -> None:
        self.own = self.all = self.tasks = self.statements = 0
        self.steps: list[tuple[int, int, int, int]] = []
        self.within: list[int] = []
        self._prefixes = tuple(str(ROOT / name) + os.sep for name in ("shared", "http_api", "mcp_gateway"))

    def called(self, frame: FrameType, event: str, _: Any) -> None:
        """For sys.setprofile."""
        if event == "call":
            self.all += 1
            self.own += frame.f_code.co_filename.startswith(self._prefixes)

    def task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        """For the loop: a task factory."""
        self.tasks += not getattr(coroutine, "__qualname__", "").startswith("WriteBehind.")  # those come with the clock
        return asyncio.Task(coroutine, loop=loop, **more)

    def statement(self, *_: Any) -> None:
        """For SQLAlchemy."""
        self.statements += 1

    def step(self) -> None:
        """A request begins."""
        self.steps.append((self.own, self.all, self.tasks, len(sys.modules)))

    def least(self, index: int, first: int) -> int:
        """What most requests of a run cost: the least of the differences, which nothing else has a part in."""
        steps = self.steps[first + WARM : first + WARM + REQUESTS]
        return min(after[index] - before[index] for before, after in itertools.pairwise(steps))


async def serve(folder: Path, mock_port: int, more: Mapping[str, str], tally: Tally, *, mcp: bool = False) -> int:
    """The gateway, with MCP mounted on it if wanted, until stdin ends. The count of objects that only the garbage collector could free afterwards."""
    import socket

    from sqlalchemy import event

    from http_api.app import create_app
    from http_api.limits import Limits
    from http_api.server import Server, Shutdown
    from mcp_gateway.sidecar import mounted
    from shared.domain.models import Model
    from shared.gateway import open_gateway
    from shared.settings import Settings

    settings = Settings.model_validate(
        {
            "data_dir": folder / "data",
            "openai_base_url": f"http://127.0.0.1:{mock_port}/v1",
            "openai_api_key": KEY,
            "embedded_model": "off",
            "oss_discovery": False,
            "spend_guard": False,
            "rate_limit_per_minute": 10**9,
            "log_format": "json",
            "terminal_sandbox": "off",
            **more,
        }
    )
    app = create_app(lambda: open_gateway(settings), mounts=[mounted(settings)] if mcp else ())

    async def noticed(scope: Any, receive: Any, send: Any) -> None:
        tally.step()
        before = tally.statements
        await app(scope, receive, send)
        tally.within.append(tally.statements - before)

    async with app.opened() as gateway:
        model = {"id": "mock", "provider": "openai", "api_model_name": "mock", "layer": "L0"}
        prices = {"price_per_1k_input_tokens": 1, "price_per_1k_output_tokens": 2}
        await gateway.registry.add(Model.model_validate(model | prices))
        event.listen(gateway.database.engine, "before_cursor_execute", tally.statement)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        loop = asyncio.get_running_loop()

        def ready() -> None:
            loop.set_task_factory(tally.task)
            gc.collect()
            gc.freeze()
            gc.disable()
            print(listener.getsockname()[1], flush=True)
            sys.setprofile(tally.called)

        server = Server(
            noticed,
            limits=Limits(),
            max_message_bytes=10**6,
            on_ready=ready,
            shutdown=Shutdown(),
            handle_signals=False,
        )
        loop.run_in_executor(None, _when_stdin_ends, loop, server.stop)
        await server.serve([listener])
        sys.setprofile(None)
        await gateway.ledger.flush()
        alive = _seen_by_collector()
        gc.collect()  # what it returns leaves out cycles with a generator in them
        return alive - _seen_by_collector()


def _seen_by_collector() -> int:
    """How many objects it looks at, but for tuples: of those it lets go when it sees nothing in them to look at."""
    return sum(type(one) is not tuple for one in gc.get_objects())


def _when_stdin_ends(loop: asyncio.AbstractEventLoop, then: Any) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(then)


def _summary(tally: Tally, left: int) -> dict[str, float]:
    second = WARM + REQUESTS
    first, last = tally.steps[WARM], tally.steps[second - 1]
    return {
        "calls of our own functions": tally.least(0, 0),
        "calls of Python functions": tally.least(1, 0),
        "tasks": tally.least(2, 0),
        "statements while it runs": min(tally.within),
        "modules loaded": last[3] - first[3],
        "objects left to the garbage collector": left // (2 * second),
        "calls of Python functions in a stream of 200 tokens": tally.least(1, second),
        "tasks in a stream": tally.least(2, second),
    }


if __name__ == "__main__":
    if len(sys.argv) == 4:  # the gateway of a run, in a process of its own
        tally = Tally()
        left = asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), tally))
        print(json.dumps(_summary(tally, left)))
    else:
        argparse.ArgumentParser(description=__doc__).parse_args()
        main()
