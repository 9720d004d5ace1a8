"""An Ollama server on loopback: windows, loading, cutting and refusing as the real one does; it says what it is told."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from shared.providers.ollama.decode import Asked
from shared.providers.ollama.window import Size, Window

DEFAULT_WINDOW = 4096
ASKED = Asked(
    provider="oss-local",
    model="m",
    identity="x1",
    created=1,
    window=Window(tokens=4_096, most=None, size=Size(letters=40), room=2_048),
)
"""A request for decoders to answer."""

SENTENCE = "the prompt is longer than the context length currently available to the model; shorten the prompt"

Overflow = Literal["coded", "sentence", "cut"]
"""How a prompt that is too long is refused: by a runner with a code, by one without; or, by old servers, never."""


@dataclass
class FakeModel:
    """A model as /api/show has it."""

    context_length: int = 131_072
    capabilities: Sequence[str] = ("completion", "tools", "thinking", "vision")
    architecture: str = "llama"
    parameters: str = ""
    thinking: Sequence[bool | str] | None = None

    def shown(self) -> dict[str, Any]:
        info = {"general.architecture": self.architecture, f"{self.architecture}.context_length": self.context_length}
        thinking = {} if self.thinking is None else {"thinking": {"values": list(self.thinking)}}
        return {
            "capabilities": list(self.capabilities),
            "model_info": info,
            "parameters": self.parameters,
            **thinking,
        }


@dataclass
class Fault:
    """An answer to /api/chat that isn't one: a status with an error, or `raw` bytes as the body."""

    status: int = 200
    error: Any = ""
    raw: bytes | None = None
    headers: str = ""


@dataclass
class FakeOllama:
    """Use as a context manager. It remembers the chats that it was asked for, the models it loaded, and the leavers."""

    models: dict[str, FakeModel] = field(default_factory=lambda: {"llama3.2:latest": FakeModel()})
    said: Sequence[dict[str, Any]] = ({"content": "Hello"}, {"content": " there"})
    last: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    overflow: Overflow = "coded"
    honours_num_ctx: bool = True
    knows_itself: bool = True
    hold: bool = False
    block_bytes: int = 0
    chats: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    loads: list[tuple[str, int]] = field(default_factory=list)
    loaded: dict[str, int] = field(default_factory=dict)
    client_gone: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._serve(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split("\r\n", 1)[0].split(" ")
        length = next((line[15:] for line in head.lower().split("\r\n") if line.startswith("content-length:")), "0")
        sent = await reader.readexactly(int(length))
        self.paths.append(f"{method} {path}")
        self.headers.append(head)
        if path == "/api/chat":
            return await self._chat(json.loads(sent), reader, writer)
        known = self._known(path, json.loads(sent or b"null"))
        _answer(writer, 404 if known is None else 200, known or {"error": "not found"})
        await writer.drain()
        return True

    def _known(self, path: str, body: Any) -> Any:
        if path == "/v1/models":
            return {"object": "list", "data": [{"id": name, "owned_by": "library"} for name in self.models]}
        if path == "/api/tags":
            return {"models": [{"name": name, "digest": name} for name in self.models]}
        if path == "/api/ps" and self.knows_itself:
            return {"models": [{"name": name, "context_length": size} for name, size in self.loaded.items()]}
        if path == "/api/show" and self.knows_itself:
            model = self._model(body["model"])
            return None if model is None else model[1].shown()
        return None

    def _model(self, name: str) -> tuple[str, FakeModel] | None:
        name = name if name in self.models else f"{name}:latest"
        return (name, self.models[name]) if name in self.models else None

    async def _chat(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.chats.append(body)
        fault = self.faults.pop(0) if self.faults else None
        found = self._model(body["model"])
        if fault is None and found is None:
            fault = Fault(404, f"model '{body['model']}' not found")
        if fault is not None and fault.raw is None:
            _answer(writer, fault.status, {"error": fault.error}, fault.headers)
            await writer.drain()
            return True
        assert found is not None
        window = self._load(*found, body)
        read = tokens_of(body)
        if read >= window:
            if self.overflow != "cut" and body.get("shift") is False and body.get("truncate") is False:
                _answer(writer, 400, {"error": _refusal(self.overflow, read, window)})
                await writer.drain()
                return True
            read = window // 2 + 2
        lines = [fault.raw] if fault is not None and fault.raw is not None else list(self._lines(body, read))
        return await self._send(lines, reader, writer)

    def _load(self, name: str, model: FakeModel, body: dict[str, Any]) -> int:
        """A model is loaded anew when another window is asked for; never a larger one than it was trained with."""
        asked = body["options"].get("num_ctx") if self.honours_num_ctx else None
        window = min(asked or DEFAULT_WINDOW, model.context_length)
        if self.loaded.get(name) != window:
            self.loaded[name] = window
            self.loads.append((name, window))
        return window

    def _lines(self, body: dict[str, Any], read: int) -> Iterator[bytes]:
        common = {"model": body["model"], "created_at": "2026-01-01T00:00:00.000Z"}
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": read, "eval_count": 7, **self.last}
        if body["stream"]:
            for part in self.said:
                extra = {key: part[key] for key in ("logprobs",) if key in part}
                message = {"role": "assistant", "content": "", **{k: v for k, v in part.items() if k not in extra}}
                yield _line({**common, "message": message, **extra, "done": False})
            yield _line({**common, "message": {"role": "assistant", "content": ""}, **end})
            return
        message = {"role": "assistant", "content": ""}
        for part in self.said:
            for key, value in part.items():
                message[key] = message.get(key, type(value)()) + value
        extra = {"logprobs": message.pop("logprobs")} if "logprobs" in message else {}
        yield _line({**common, "message": message, **extra, **end})

    async def _send(self, lines: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
        whole = b"".join(lines)
        size = self.block_bytes
        blocks = [whole[at : at + size] for at in range(0, len(whole), size)] if size else lines
        for block in blocks[:-1] if self.hold else blocks:
            writer.write(b"%x\r\n%b\r\n" % (len(block), block))
            await writer.drain()
        if self.hold:
            await reader.read()
            self.client_gone.set()
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def tokens_of(body: dict[str, Any]) -> int:
    """The fake's tokenizer: four characters a token, digits one each, 300 an image, a few for each message."""
    count: Callable[[str], int] = lambda text: len(text) // 4 + sum(map(str.isdigit, text))  # noqa: E731
    messages = sum(count(one.get("content") or "") + 4 + 300 * len(one.get("images", ())) for one in body["messages"])
    return messages + count(json.dumps(body["tools"]) if "tools" in body else "")


def _refusal(overflow: Overflow, prompt: int, window: int) -> str:
    if overflow == "sentence":
        return SENTENCE
    error = {
        "code": 400,
        "message": f"request ({prompt} tokens) exceeds the available context size ({window} tokens)",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": prompt,
        "n_ctx": window,
    }
    return json.dumps({"error": error})


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _answer(writer: asyncio.StreamWriter, status: int, value: Any, headers: str = "") -> None:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    writer.write(head.encode() + body)
