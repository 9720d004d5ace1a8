"""How large a context window a request gets, and whether its prompt was cut in spite of it. Pure.

Reasons and numbers: docs/decisions/ollama-native.md
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.domain.chat import TOKENS_PER_IMAGE
from shared.errors import InvalidInput

SMALLEST = 4096
LEAST_EVIDENCE = 1000
"""A count below this says nothing: some servers leave out what their cache held."""

KEPT = 8
"""A prompt that is cut keeps half the window and a few tokens more."""

LETTERS = (string.ascii_letters + string.whitespace).encode()
FOREIGN = bytes(range(0x80, 0x100))


@dataclass(frozen=True, slots=True)
class Size:
    """How long a prompt is: bytes of text by kind, and images."""

    letters: int = 0
    symbols: int = 0
    foreign: int = 0
    images: int = 0

    @property
    def estimate(self) -> int:
        """Tokens, as a fair guess."""
        return (self.letters + self.symbols + self.foreign) // 4 + self.images * TOKENS_PER_IMAGE

    @property
    def at_most(self) -> int:
        """Tokens, as a careful guess: digits and signs may be one each, as may every other letter than a Latin one."""
        return self.letters // 4 + self.symbols + self.foreign // 3 + self.images * TOKENS_PER_IMAGE

    @property
    def at_least(self) -> int:
        """Tokens that any tokenizer needs for the text, images apart."""
        return (self.letters + self.symbols + self.foreign) // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The window for one request: `tokens` is its `num_ctx`, `most` what it could be raised to (None: not known)."""

    tokens: int
    most: int | None
    size: Size
    room: int

    @property
    def too_small(self) -> bool:
        """Whether the prompt is surely too long, even for the largest window."""
        return self.size.estimate >= self.tokens

    @property
    def tight(self) -> bool:
        """Whether the prompt may be too long for it."""
        return self.size.at_most >= self.tokens

    def larger(self, prompt: int) -> "Window | None":
        """The window for a prompt of so many tokens, as the server has counted them; None when there is none."""
        tokens = _step(prompt + self.room)
        tokens = tokens if self.most is None else min(tokens, self.most)
        if tokens <= max(prompt, self.tokens):
            return None
        return Window(tokens=tokens, most=self.most, size=self.size, room=self.room)

    def was_cut(self, prompt: int) -> bool:
        """Whether a server that read so many tokens of the prompt cannot have read all of it."""
        halved = self.tight and abs(prompt - self.tokens // 2) <= KEPT
        return prompt >= self.tokens - 1 or halved or LEAST_EVIDENCE <= prompt < self.size.at_least


def window_for(
    size: Size, *, room: int, wanted: int = 0, loaded: int = 0, longest: int | None = None, limit: int | None = None
) -> Window:
    """The smallest step that holds the prompt and `room` for the answer, all in tokens.

    At least `wanted`, never above `longest` or `limit`; but what is `loaded` already is used, since another size would
    load the model again.
    """
    bounds = [bound for bound in (longest, limit) if bound]
    most = min(bounds) if bounds else None
    tokens = max(_step(size.at_most + room), wanted)
    if most is not None:
        tokens, most = max(min(tokens, most), loaded), max(most, loaded)
    return Window(tokens=max(tokens, loaded), most=most, size=size, room=room)


def size_of(body: Mapping[str, Any]) -> Size:
    """How long the prompt of an encoded request is. Raises InvalidInput when it is nested too deeply."""
    messages = [{key: value for key, value in message.items() if key != "images"} for message in body["messages"]]
    try:
        text = orjson.dumps([messages, body.get("tools")])
    except orjson.JSONEncodeError as error:
        raise InvalidInput("The request cannot be sent as JSON.", details=str(error)) from None
    ascii_only = len(text.translate(None, FOREIGN))
    symbols = len(text.translate(None, FOREIGN + LETTERS))
    return Size(
        letters=ascii_only - symbols,
        symbols=symbols,
        foreign=len(text) - ascii_only,
        images=sum(len(message.get("images") or ()) for message in body["messages"]),
    )


def _step(tokens: int) -> int:
    step = SMALLEST
    while step < tokens:
        step *= 2
    return step
