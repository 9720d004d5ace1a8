"""Characters that a server has cut in two."""

import orjson
import pytest

from shared.providers.openai.stream import StreamDecoder
from shared.providers.openai.surrogates import SurrogateHalves
from shared.providers.server_sent_events import payloads


def event(text: str) -> bytes:
    return (
        b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % text.encode()
    )


def end() -> bytes:
    return b'data: {"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def said(events: bytes) -> str:
    deltas = (choice["delta"] for data in payloads(events) for choice in orjson.loads(data)["choices"])
    return "".join(delta.get("content", "") for delta in deltas)


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        (["a\\ud83d", "\\ude00b"], "a😀b"),
        (["\\uD83D", "\\uDE00"], "😀"),
        (["a", "\\ud83d\\ude00", "b"], "a😀b"),
        (["\\ud83d", "\\ude00\\ud83d", "\\ude01"], "😀😁"),
        (["\\ud83d", "", "\\ude00"], "😀"),
        (["\\ud83d", "never", " comes"], "never comes"),
        (["C:\\\\ud83d", " is a path"], "C:\\ud83d is a path"),
        (["x\\\\\\ud83d", "\\ude00"], "x\\😀"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_each_character_is_in_one_event(texts: list[str], whole: str, together: bool) -> None:
    blocks = [event("start "), *map(event, texts), end()]
    decoder = StreamDecoder("them", "m")
    told = [decoder.feed(block).data for block in ([b"".join(blocks)] if together else blocks)]
    told.append(decoder.finish().data)
    assert said(b"".join(told)) == "start " + whole


def test_events_without_halves_stay_as_they_are() -> None:
    plain = event("plain 😀 \\u00e4")
    assert SurrogateHalves().joined(plain) is plain
