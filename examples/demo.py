"""Start the gateway, chat and run a command over REST and over MCP, show what came back, stop."""

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from mcp.client import Client
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from shared.providers.scripted import ScriptedServer

QUESTION = "What is the capital of France? Answer in one short sentence."
COMMAND = 'echo "hello from $(uname -s)"; exit 3'
START_SECONDS = 60
WIDTH = 76

PASSED = {"HOME", "PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "OLLAMA_HOST", "OSS_MODEL_ENDPOINT"}
PASSED_ENDINGS = ("_API_KEY", "_BASE_URL", "_PROXY")

console = Console()


def environment(folder: str) -> dict[str, str]:
    """What the demo's gateway needs of ours, so that no other setting of yours changes the demo."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED or name.startswith("LC_") or name.upper().endswith(PASSED_ENDINGS)
    }
    return {**ours, "DATA_DIR": folder, "AUTH_MODE": "local", "API_HOST": "127.0.0.1"}


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.asynccontextmanager
async def gateway() -> AsyncIterator[str]:
    """The gateway in a process of its own, with its data in a folder that goes away; yields its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "log"
        command = [str(Path(sys.executable).with_name("mcp-gateway")), "serve", "--port", str(port)]
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=output, stderr=output, env=environment(folder), cwd=folder
            )
        try:
            await answering(url, process, log)
            yield url
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def answering(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until it answers, with a provider that is well."""
    deadline = time.monotonic() + START_SECONDS
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline and process.returncode is None:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"{url}/health")).json()["healthyProviders"]:
                    return
            await asyncio.sleep(0.2)
    console.print(log.read_text(errors="replace"))
    raise SystemExit("error: the gateway did not come up with a model that answers; its log is above")


def show(title: str, body: str, facts: dict[str, Any]) -> None:
    """One answer, and how it came about."""
    text = Text("\n".join(textwrap.wrap(body.strip(), WIDTH)) + "\n")
    used = WIDTH
    for name, value in facts.items():
        size = len(f"{name} {value}  ")
        new_line = used + size > WIDTH
        text.append("\n" if new_line else "  ").append(name, style="bold dim").append(f" {value}", style="dim")
        used = size if new_line else used + size
    console.print(Panel(text, title=title, title_align="left"))


async def over_rest(url: str) -> None:
    """A chat and a command with plain HTTP."""
    async with httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) as client:
        began = time.perf_counter()
        body = {"model": "auto", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 60}
        answer = await client.post("/v1/chat/completions", json=body)
        found = answer.raise_for_status().json()
        show(
            "REST: POST /v1/chat/completions",
            found["choices"][0]["message"]["content"],
            {
                "model": found["model"],
                "layer": answer.headers["x-gateway-layer"],
                "tokens": found["usage"]["total_tokens"],
                "cost": f"${found['usage']['cost']:.6f}",
                "time": f"{time.perf_counter() - began:.2f} s",
            },
        )
        session = (await client.post("/v1/terminal/sessions", json={"type": "local"})).raise_for_status().json()
        path = f"/v1/terminal/{session['session']['id']}"
        result = (await client.post(f"{path}/execute", json={"command": COMMAND})).raise_for_status().json()["result"]
        await client.delete(path)
        show(
            "REST: POST /v1/terminal/:id/execute",
            result["stdout"],
            {"command": COMMAND, "exit code": result["exitCode"], "time": f"{result['durationMs']} ms"},
        )


async def through_a_failure(url: str) -> None:
    """The same question to two providers of this demo: the first one fails, the next one answers, and nobody notices."""
    async with (
        ScriptedServer().listening() as provider,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        provider.says["scripted"] = "Paris is the capital of France. (A scripted answer of the demo's second provider.)"
        ids = []
        for name, answers in (("broken", "scripted-e503"), ("spare", "scripted")):
            ids.append(f"{name}/model")
            model = {"id": ids[-1], "provider": name, "apiModelName": answers, "layer": "L0"}
            made = await client.post("/v1/providers", json={"name": name, "baseUrl": provider.base_url})
            made.raise_for_status()
            (await client.post("/v1/models", json=model)).raise_for_status()
        (await client.put("/v1/layers/L0/reorder", json={"modelIds": ids})).raise_for_status()
        body = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 60}
        answer = await client.post("/v1/chat/completions", json=body, timeout=120)
        found = answer.raise_for_status().json()
        show(
            "REST: the same, while the first provider answers 503",
            found["choices"][0]["message"]["content"],
            {"model": found["model"], "attempts": answer.headers["x-gateway-attempts"]},
        )


async def over_mcp(url: str) -> None:
    """The same through a real MCP client."""
    async with Client(f"{url}/mcp") as client:
        began = time.perf_counter()
        answer = await client.call_tool("chat", {"message": QUESTION, "maxTokens": 60})
        found: Any = answer.structured_content
        show(
            "MCP: tool chat",
            found["text"],
            {
                "model": found["model"],
                "layer": found["layer"],
                "tokens": found["usage"]["totalTokens"],
                "cost": f"${found['costUsd']:.6f}",
                "time": f"{time.perf_counter() - began:.2f} s",
            },
        )
        ran = await client.call_tool("run_command", {"command": COMMAND})
        result: Any = ran.structured_content
        show(
            "MCP: tool run_command",
            result["stdout"],
            {"command": COMMAND, "exit code": result["exitCode"], "time": f"{result['durationMs']} ms"},
        )


async def main() -> None:
    """Both surfaces, one after the other, and what happens when a provider fails."""
    console.print("Starting the gateway …")
    async with gateway() as url:
        await over_rest(url)
        await over_mcp(url)
        await through_a_failure(url)
    console.print("Stopped.")


if __name__ == "__main__":
    if sys.platform == "win32":
        sys.exit("error: the demo needs Linux or macOS")
    for name in ("NO_PROXY", "no_proxy"):  # what the demo itself asks is on this machine
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
