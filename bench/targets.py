"""What is measured: the mock itself, two bare proxies in front of it, and the gateway with everything on."""

import http.client
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import load
from processes import Child, Cores, answers, free_port

HERE = Path(__file__).parent
MODELS = ("mock", "mock-paced")
UNREACHED = 1_000_000_000
"""A rate limit that counts every request and is never reached."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that answers chats. `key` is what its callers send."""

    name: str
    port: int
    child: Child
    start_seconds: float
    key: str = "sk-bench"

    def check(self) -> None:
        """Raises RuntimeError unless it answers rightly, whole and streamed, on both models."""
        for model in MODELS:
            for stream in (False, True):
                request = load.chat(self.port, model, stream=stream, key=self.key)
                fault_of = load.fault_of_stream if stream else load.fault_of_chat
                sample = load.run(self.port, request, fault_of, connections=1, each=2)
                if sample.faults or sample.served != 2:
                    raise RuntimeError(
                        f"{self.name} does not answer rightly: {dict(sample.faults)}\n{self.child.log()}"
                    )


@contextmanager
def targets(folder: Path, cores: Cores) -> Iterator[list[Target]]:
    """All of them, up and checked; gone after the block."""
    children: list[Child] = []
    try:
        port = free_port()
        mock = _python(children, folder, cores.load, "mock_upstream.py", str(port))
        found = [Target("direct", port, mock, mock.wait_for(answers(port, "/")))]
        upstream = f"http://127.0.0.1:{port}"
        for client in ("httpx", "aiohttp"):
            own = free_port()
            child = _python(children, folder, cores.server, "bare_proxy.py", client, str(own), upstream)
            found.append(Target(f"bare-{client}", own, child, child.wait_for(answers(own, "/"))))
        own = free_port()
        child = gateway(folder / "data", own, upstream, cores.server)
        children.append(child)
        start_seconds = child.wait_for(answers(own, "/health"))
        found.append(Target("gateway", own, child, start_seconds, key=_equip(own)))
        for target in found:
            target.check()
        yield found
    finally:
        for child in reversed(children):
            child.stop()


def _python(children: list[Child], folder: Path, core: int | None, *arguments: str) -> Child:
    """One of our own scripts, in a process of its own."""
    script, *rest = arguments
    child = Child([sys.executable, str(HERE / script), *rest], folder=folder, core=core, environ=environment())
    children.append(child)
    return child


def gateway(data: Path, port: int, upstream: str, core: int | None) -> Child:
    """The gateway as a user starts it: ledger, metrics, limits and access log on; its one provider is the mock."""
    data.mkdir(exist_ok=True)
    environ = environment() | {
        "DATA_DIR": str(data),
        "OPENAI_BASE_URL": f"{upstream}/v1",
        "OPENAI_API_KEY": "sk-mock",
        "EMBEDDED_MODEL": "off",
        "OSS_DISCOVERY": "false",
        "SPEND_GUARD": "false",  # the models measured bill, and stand in L0
        "RATE_LIMIT_PER_MINUTE": str(UNREACHED),
        "RATE_LIMIT_PER_HOUR": str(UNREACHED),
    }
    return Child([*command(), "serve", "--port", str(port)], folder=data, core=core, environ=environ)


def command() -> list[str]:
    """The gateway's command in this environment."""
    return [str(Path(sys.executable).with_name("mcp-gateway"))]


def environment() -> dict[str, str]:
    """What every child gets: nothing of ours that could change what is measured."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _equip(port: int) -> str:
    """Add the mock's models to the gateway's registry, with prices, and make an API key. Returns the key."""
    for name in MODELS:
        model = {"id": name, "provider": "openai", "apiModelName": name, "layer": "L0", "contextWindow": 128_000}
        ask(port, "/v1/models", model | {"pricePer1kInputTokens": 0.001, "pricePer1kOutputTokens": 0.002})
    secret: str = ask(port, "/v1/keys", {"name": "bench", "scopes": ["chat"]})["secret"]
    return secret


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
