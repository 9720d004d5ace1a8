"""JSON made small, and back to the byte."""

import json
from typing import Any

import pytest

from shared.storage.packing import FORM, packed, unpacked

DECISION: dict[str, Any] = {
    "r": "375051cbc26e3ed5f527a963",
    "c": "key-646cb0978c767b76",
    "t": "912c944bf26a26fcb73d3a7c52eea9da",
    "d": {
        "version": 1,
        "facts": {"model": "some/model-7", "prompt_tokens": 812, "conversation": "opening:27e1e1a30648dca61fb7ce1a"},
        "permit": {},
        "policy": {"default_layer": "L0", "auto_escalate": False, "spend_guard": True, "cross_check": True},
        "start": None,
        "plan": {"attempts": ["some/model-7"], "cooling": [], "away": [], "low": "L0", "high": "L3"},
        "calls": [{"model": "some/model-7", "layer": "L1", "purpose": "answer", "outcome": "ok", "cost": "0.0001317"}],
        "outcome": "ok",
        "usage": {"prompt": 811, "completion": 218},
        "lesson": None,
    },
}


def text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "value",
    [
        DECISION,
        {},
        "",
        ["a" * length for length in range(70)],
        ["0" * 16, "F" * 32, "g" * 24, "a1" * 32, "a1" * 32 + "a"],
        {"control": "\x01\x02\x03\x04\x00", "odd": "ü🦀", "long": "x" * 100_000},
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_was_packed_comes_back(value: Any) -> None:
    assert unpacked(packed(text(value))) == text(value)


def test_a_decision_takes_a_fifth_of_its_space() -> None:
    assert len(packed(text(DECISION))) < 130 < len(text(DECISION)) / 4


def test_what_an_older_process_wrote_stays_readable() -> None:
    """These bytes are of the form's first version: a change of its dictionary would make them unreadable."""
    stored = bytes.fromhex(KEPT)
    assert unpacked(stored) == text(DECISION)


def test_another_form_is_refused_in_words() -> None:
    for data in (b"", b"\x02abc"):
        with pytest.raises(ValueError, match="another version"):
            unpacked(data)
    assert packed(b"{}").startswith(FORM)


KEPT = (
    "01a3346116031dab0fe6e89a6326500b43233c49921aa9104b4ac34856c42424147f9094928c95b0a609b48041293c484b1f"
    "86c686e64a58d2064682b030444b1246861618110e00375051cbc26e3ed5f527a963646cb0978c767b76912c944bf26a26fc"
    "b73d3a7c52eea9da27e1e1a30648dca61fb7ce1a"
)
