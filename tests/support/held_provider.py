"""A provider whose streams go on until the test lets them end."""

import asyncio
from dataclasses import dataclass, field

import orjson

from shared.providers.scripted import ScriptedServer, Seen
from shared.providers.scripted_answers import CREATED, Reply


@dataclass(slots=True)
class HeldProvider(ScriptedServer):
    """Sends the first word of each answer, and the rest once `go` is set."""

    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, seen: Seen, reply: Reply) -> None:
        if not seen.path.endswith("/chat/completions"):
            await reply.json(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})
            return
        await reply.start_stream()
        await reply.event(_chunk({"role": "assistant", "content": "first "}))
        await self.go.wait()
        await reply.event(_chunk({"content": "last"}))
        await reply.event(_chunk({}, "stop"))
        await reply.event(b"[DONE]")
        await reply.end_stream()


def _chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    head = {"id": "chatcmpl-held", "object": "chat.completion.chunk", "created": CREATED, "model": "scripted"}
    return orjson.dumps({**head, "choices": [choice]})
