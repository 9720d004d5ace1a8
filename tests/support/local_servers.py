"""Stand-ins for local model servers: real HTTP on loopback, answering from a table."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

HANG = object()
"""An answer that never comes."""


class TableServer:
    """Answers `"GET /path"` with the table's value as JSON (bytes go out as they are), all else with 404."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.table = dict(table)
        self.seen: list[str] = []
        self.asked = asyncio.Event()
        self.port = 0

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split("\r\n", 1)[0].split(" ")
            length = next((line[15:] for line in head.lower().split("\r\n") if line.startswith("content-length:")), "0")
            sent = await reader.readexactly(int(length))
            self.seen.append(f"{method} {path}")
            self.asked.set()
            value = self.table.get(f"{method} {path}")
            if callable(value):
                value = value(json.loads(sent or b"null"))
            if value is HANG:
                await reader.read()
                return
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            status = b"404 Not Found" if value is None else b"200 OK"
            writer.write(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n" % status)
            writer.write(b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def table_server(table: Mapping[str, Any], *, port: int = 0) -> AsyncIterator[TableServer]:
    server = TableServer(table)
    listener = await asyncio.start_server(server.answer, "127.0.0.1", port)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        if hasattr(listener, "close_clients"):
            listener.close_clients()
        await asyncio.sleep(0)


def listed(*entries: Mapping[str, Any]) -> dict[str, Any]:
    """An OpenAI list of models."""
    return {"object": "list", "data": [{"object": "model", **entry} for entry in entries]}


OLLAMA = {
    "GET /v1/models": listed({"id": "qwen3:8b", "owned_by": "library"}, {"id": "nomic-embed-text:latest"}),
    "GET /api/tags": {
        "models": [
            {"name": "qwen3:8b", "digest": "aa"},
            {"name": "llama3.2:latest", "digest": "bb"},
            {"name": "nomic-embed-text:latest", "digest": "cc"},
            {"name": "gpt-oss:120b-cloud", "digest": "dd", "remote_host": "https://ollama.com", "remote_model": "x"},
        ]
    },
    "POST /api/show": lambda body: {
        "qwen3:8b": {
            "capabilities": ["completion", "tools", "thinking"],
            "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960},
        },
        "llama3.2:latest": {
            "capabilities": ["completion", "vision"],
            "model_info": {"general.architecture": "llama", "llama.context_length": 131072},
        },
        "nomic-embed-text:latest": {"capabilities": ["embedding"], "model_info": {}},
    }.get(body["model"]),
}
LM_STUDIO = {
    "GET /v1/models": listed({"id": "qwen2-vl-7b"}, {"id": "text-embedding-nomic"}),
    "GET /api/tags": {"error": "Unexpected endpoint or method. (GET /api/tags)"},
    "GET /api/v0/models": listed(
        {"id": "qwen2-vl-7b", "type": "vlm", "state": "not-loaded", "max_context_length": 32768},
        {
            "id": "qwen2.5-coder-7b",
            "type": "llm",
            "state": "loaded",
            "max_context_length": 131072,
            "loaded_context_length": 4096,
            "capabilities": ["tool_use"],
        },
        {"id": "text-embedding-nomic", "type": "embeddings", "max_context_length": 2048},
    ),
}
LLAMA_CPP = {
    "GET /v1/models": listed({"id": "gemma.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8192}}),
    "GET /props": {
        "default_generation_settings": {"n_ctx": 2048},
        "modalities": {"vision": True},
        "chat_template_caps": {"supports_tools": True},
    },
}
VLLM = {"GET /v1/models": listed({"id": "Qwen/Qwen3-32B", "owned_by": "vllm", "max_model_len": 32768})}
PLAIN = {"GET /v1/models": listed({"id": "some-model"}, {"id": "bge-m3"})}
GATEWAY = {
    "GET /v1/models": listed(
        {"id": "auto", "virtual": True}, {"id": "x/y", "provider": "openai", "apiModelName": "y", "owned_by": "vllm"}
    )
}
