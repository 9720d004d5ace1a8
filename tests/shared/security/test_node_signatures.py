"""Signatures between the processes of a gateway: good for one request, once, at its time."""

import pytest

from shared.errors import Unauthenticated
from shared.security.node_signatures import NodeSignatures

NOW = 1_795_580_000.0
OURS, OTHERS = NodeSignatures(b"x" * 32), NodeSignatures(b"y" * 32)


def test_what_one_process_signs_another_believes_once() -> None:
    there = NodeSignatures(b"x" * 32)
    signature = OURS.sign("node", "/internal/call", b"{}", now=NOW)
    there.check(signature, "node", "/internal/call", b"{}", now=NOW + 1)
    with pytest.raises(Unauthenticated, match="before"):
        there.check(signature, "node", "/internal/call", b"{}", now=NOW + 2)


@pytest.mark.parametrize(
    ("signature", "target", "body"),
    [
        (OTHERS.sign("node", "/internal/call", b"{}", now=NOW), "/internal/call", b"{}"),
        (OURS.sign("other", "/internal/call", b"{}", now=NOW), "/internal/call", b"{}"),
        (OURS.sign("node", "/internal/call", b"{}", now=NOW), "/internal/stream", b"{}"),
        (OURS.sign("node", "/internal/call", b"{}", now=NOW), "/internal/call", b"{ }"),
        (OURS.sign("node", "/internal/call", b"{}", now=NOW)[:-1], "/internal/call", b"{}"),
        (OURS.sign("node", "/internal/call", b"{}", now=NOW).replace("17955", "17956", 1), "/internal/call", b"{}"),
        ("", "/internal/call", b"{}"),
        ("\x00 \xff", "/internal/call", b"{}"),
        ("nan 0 0", "/internal/call", b"{}"),
    ],
    ids=[
        "another secret",
        "another process",
        "another target",
        "another body",
        "cut",
        "another time",
        "none",
        "garbage",
        "no number",
    ],
)
def test_nothing_else_is_believed(signature: str, target: str, body: bytes) -> None:
    with pytest.raises(Unauthenticated, match="does not come from"):
        NodeSignatures(b"x" * 32).check(signature, "node", target, body, now=NOW)


@pytest.mark.parametrize("late", [-31.0, 31.0])
def test_its_time_passes(late: float) -> None:
    signature = OURS.sign("node", "/internal/call", b"", now=NOW)
    with pytest.raises(Unauthenticated, match="clocks"):
        NodeSignatures(b"x" * 32).check(signature, "node", "/internal/call", b"", now=NOW + late)
