"""What is measured: the mock itself, two bare proxies in front of it, and the gateway with everything on."""

import http.client
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filling
import load
from processes import Child, Cores, answers, free_port

HERE = Path(__file__).parent
MODELS = ("mock", "mock-paced")
ANTHROPIC = "anthropic-"
TRANSLATED = tuple(ANTHROPIC + name for name in MODELS)
"""The same models of the gateway's, asked in Anthropic's dialect."""

SLOW_START_SECONDS = 120.0
UNREACHED = 1_000_000_000
MANY_TERMINALS = {"TERMINAL_MAX_SESSIONS": "500", "TERMINAL_MAX_SESSIONS_PER_CALLER": "500"}
"""A rate limit that counts every request and is never reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server that answers chats. `key` and `headers` are what its callers send."""

    name: str
    port: int
    child: Child
    start_seconds: float
    key: str = "sk-bench"
    headers: Mapping[str, str] = field(default_factory=dict)

    def chat(self, model: str = "mock", *, stream: bool = False, **more: Any) -> bytes:
        """A request to it, as `load.chat` makes them."""
        return load.chat(self.port, model, stream=stream, key=self.key, headers=self.headers, **more)

    def check(self, models: Sequence[str] = MODELS) -> None:
        """Raises RuntimeError unless it answers rightly, whole and streamed, on all these models."""
        for model in models:
            for stream in (False, True):
                fault_of = load.fault_of_stream if stream else load.fault_of_chat
                sample = load.run(self.port, self.chat(model, stream=stream), fault_of, connections=1, each=2)
                if sample.faults or sample.served != 2:
                    raise RuntimeError(
                        f"{self.name} does not answer rightly: {dict(sample.faults)}\n{self.child.log()}"
                    )


class Stage:
    """Starts what is measured, all of it in front of one mock, in a folder that holds what it writes."""

    def __init__(self, folder: Path, cores: Cores) -> None:
        self.folder = folder
        self.cores = cores
        self._children: list[Child] = []
        port = free_port()
        child = self._python("mock_upstream.py", str(port), core=cores.load)
        self.mock = Target(name="direct", port=port, child=child, start_seconds=child.wait_for(answers(port, "/")))

    @property
    def upstream(self) -> str:
        """The mock's address."""
        return f"http://127.0.0.1:{self.mock.port}"

    def bare(self, client: str) -> Target:
        """A bare proxy on one of the HTTP clients."""
        port = free_port()
        child = self._python("bare_proxy.py", client, str(port), self.upstream, core=self.cores.server)
        return Target(name=f"bare-{client}", port=port, child=child, start_seconds=child.wait_for(answers(port, "/")))

    def gateway(self, name: str = "gateway", *, fill: Callable[[Path], None] | None = None, **settings: str) -> Target:
        """A gateway with the mock's models and a key. `fill` puts into its data directory what is to be there first."""
        port, data = free_port(), self.folder / name
        data.mkdir()
        if fill is not None:
            fill(data)
        child = gateway(data, port, self.upstream, self.cores.server, **settings)
        self._children.append(child)
        took = child.wait_for(answers(port, "/health"))
        return Target(name=name, port=port, child=child, start_seconds=took, key=_equip(port))

    def other(
        self, name: str, port: int, command: list[str], environ: dict[str, str], *, ready: str, **more: Any
    ) -> Target:
        """Any other server. `ready` is a path that it answers when it is."""
        child = Child(command, folder=self.folder, core=self.cores.server, environ=environment() | environ)
        self._children.append(child)
        took = child.wait_for(answers(port, ready), SLOW_START_SECONDS)
        return Target(name=name, port=port, child=child, start_seconds=took, **more)

    def stop(self, target: Target) -> None:
        """End one of them before the others."""
        self._children.remove(target.child)
        target.child.stop()

    def close(self) -> None:
        """End everything."""
        for child in reversed(self._children):
            child.stop()

    def _python(self, script: str, *arguments: str, core: int | None) -> Child:
        """One of our own scripts, in a process of its own."""
        command = [sys.executable, str(HERE / script), *arguments]
        child = Child(command, folder=self.folder, core=core, environ=environment())
        self._children.append(child)
        return child


@contextmanager
def stage(folder: Path, cores: Cores) -> Iterator[Stage]:
    """One with its mock up; everything that was started on it is gone after the block."""
    found = Stage(folder, cores)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def targets(folder: Path, cores: Cores) -> Iterator[list[Target]]:
    """The mock, the bare proxies and the gateway, up and checked; gone after the block."""
    with stage(folder, cores) as on:
        found = [on.mock, on.bare("httpx"), on.bare("aiohttp"), on.gateway(fill=filling.nothing)]
        for target in found:
            target.check()
        found[-1].check(TRANSLATED)
        yield found


def gateway(data: Path, port: int, upstream: str, core: int | None, **settings: str) -> Child:
    """The gateway as a user starts it: ledger, metrics, limits and access log on; its one provider is the mock."""
    data.mkdir(exist_ok=True)
    environ = environment() | {
        "DATA_DIR": str(data),
        "OPENAI_BASE_URL": f"{upstream}/v1",
        "OPENAI_API_KEY": "sk-mock",
        "ANTHROPIC_BASE_URL": upstream,
        "ANTHROPIC_API_KEY": "sk-mock",
        "EMBEDDED_MODEL": "off",
        "OSS_DISCOVERY": "false",
        "SPEND_GUARD": "false",  # the models measured bill, and stand in L0
        "RATE_LIMIT_PER_MINUTE": str(UNREACHED),
        "RATE_LIMIT_PER_HOUR": str(UNREACHED),
        "MAX_CONNECTIONS": "4000",  # for a thousand streams at once
        "UPSTREAM_MAX_CONNECTIONS": "2000",
    }
    return Child([*command(), "serve", "--port", str(port)], folder=data, core=core, environ=environ | settings)


def command() -> list[str]:
    """The gateway's command in this environment."""
    return [str(Path(sys.executable).with_name("mcp-gateway"))]


def environment() -> dict[str, str]:
    """What every child gets: nothing of ours that could change what is measured."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _equip(port: int) -> str:
    """Add the mock's models to the gateway's registry, with prices, and make an API key. Returns the key."""
    made = [(name, "openai", name) for name in (*MODELS, "mock-idle")]
    made += [(name, "anthropic", name.removeprefix(ANTHROPIC)) for name in TRANSLATED]
    for name, provider, api_name in made:
        model = {"id": name, "provider": provider, "apiModelName": api_name, "layer": "L0", "contextWindow": 1_000_000}
        ask(port, "/v1/models", model | {"pricePer1kInputTokens": 0.001, "pricePer1kOutputTokens": 0.002})
    _has_mcp(port)
    secret: str = ask(port, "/v1/keys", {"name": "bench", "scopes": ["chat"]})["secret"]
    return secret


def _has_mcp(port: int) -> None:
    """Return once MCP is loaded, which comes after the first answers and takes memory of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        kinds = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        connection.request("POST", "/mcp", json.dumps(ping), kinds)
        answer = connection.getresponse()
        if b"jsonrpc" not in answer.read():
            raise RuntimeError(f"POST /mcp: {answer.status}")
    finally:
        connection.close()


def ask(port: int, path: str, payload: dict[str, Any]) -> Any:
    """POST to the gateway. Raises RuntimeError for anything but success."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, json.dumps(payload), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status not in (200, 201):
        raise RuntimeError(f"POST {path}: {answer.status} {body[:500]!r}")
    return json.loads(body)
