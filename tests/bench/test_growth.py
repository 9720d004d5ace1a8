"""What growth is measured with is what it says."""

import itertools
import json
from collections.abc import Callable
from types import ModuleType

import pytest

Script = Callable[[str], ModuleType]


@pytest.mark.parametrize("turns", [1, 2, 8, 1000])
def test_a_conversation_has_the_turns_and_the_size_asked_for(script: Script, turns: int) -> None:
    messages = script("load").conversation(turns, 32_000)
    assert len(messages) == turns
    assert messages[-1]["role"] == "user"
    assert sum(len(message["content"]) for message in messages) == pytest.approx(32_000, rel=0.05)
    roles = [message["role"] for message in messages]
    assert all(before != after for before, after in itertools.pairwise(roles))


def test_a_row_says_costs_ratios_and_the_verdict(script: Script) -> None:
    growth = script("growth")
    cases = [growth.Case(name, size, lambda: 0.0) for name, size in (("10", 10), ("1,000", 1000))]
    row = growth.Row("models", "models", "ms", cases, [(1.0, 4.0), (2.0, 8.0)])
    assert (
        row.line
        == "| models | ms | 10: 1.5 (\N{MULTIPLICATION SIGN}1.00) · 1,000: 6 (\N{MULTIPLICATION SIGN}4.00) | **linear** |"
    )
    assert growth.figures_of([row]) == {"models_ratio": 4.0, "models_last": 6.0, "models_verdict": "linear"}


def test_the_other_dialect_says_the_same(script: Script) -> None:
    mock = script("mock_upstream")
    _, _, body = mock.whole_message("mock").partition(b"\r\n\r\n")
    assert json.loads(body)["content"][0]["text"].count(mock.TOKEN.decode()) == mock.WHOLE_TOKENS
    stream = mock.messages_events("mock")
    assert len(stream.tokens) == mock.STREAM_TOKENS
    assert b"message_stop" in stream.finish
