"""Streams of OpenAI's chunks as providers send them, some of them at random."""

import itertools
import random
from dataclasses import dataclass
from typing import Any

import orjson

from shared.providers.server_sent_events import encode


@dataclass(frozen=True, slots=True)
class AnyStream:
    """A stream, and what it says: its text, and the calls of tools by name."""

    runs: list[bytes]
    text: str
    calls: dict[str, Any]


def chunk(delta: dict[str, Any] | None = None, *, finish: str | None = None, **more: Any) -> bytes:
    """An event with one choice, or with none."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return encode(orjson.dumps({"id": "chatcmpl-1", "model": "m", "choices": choices, **more}))


def call(index: int, arguments: str = "", **more: Any) -> dict[str, Any]:
    """A piece of a tool call, as a delta."""
    name = {"name": more.pop("name")} if "name" in more else {}
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments, **name}, **more}]}


def any_stream(dice: random.Random) -> AnyStream:
    """Chunks in a random order that providers may send: text, reasoning, calls interleaved, several to a run."""
    pieces: list[list[bytes]] = []
    text = "".join(dice.choice(["a", "é", "\n", '"', "```", "word "]) for _ in range(dice.randrange(6)))
    pieces.append([chunk({"content": letter}) for letter in text])
    pieces.append([chunk({"reasoning_content": "hm"}) for _ in range(dice.randrange(3))])
    calls: dict[str, Any] = {}
    for index in range(dice.randrange(4)):
        given = {"text": "x" * dice.randrange(9), "n": dice.randrange(9), "list": [{}] * dice.randrange(3)}
        calls[f"tool{index}"] = given
        said = orjson.dumps(given).decode()
        cuts = sorted({0, len(said), *(dice.randrange(len(said)) for _ in range(dice.randrange(4)))})
        parts = [chunk(call(index, id=f"c{index}", name=f"tool{index}"))]
        parts += [chunk(call(index, said[a:b])) for a, b in itertools.pairwise(cuts)]
        pieces.append(parts)
    order = []
    while pieces := [piece for piece in pieces if piece]:
        order.append(dice.choice(pieces).pop(0))
    order.append(chunk({}, finish="stop"))
    runs: list[bytes] = []
    for event in order:
        if runs and dice.random() < 0.4:
            runs[-1] += event
        else:
            runs.append(event)
    return AnyStream(runs, text, calls)
