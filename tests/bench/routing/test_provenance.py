"""The record of the rows that the weights were trained on."""

import json

import pytest

pytest.importorskip("bench.routing.provenance", reason="a source distribution has no benchmarks")

from bench.routing.provenance import FILE, ranges


def test_every_source_has_origin_licence_and_as_many_ids_as_rows() -> None:
    record = json.loads(FILE.read_text("utf-8"))
    assert set(record) == {"pairs", "models", "tiers"}
    for source in record.values():
        assert set(source) == {"origin", "licence", "rows", "sha256", "ids"}
        assert source["licence"] in {"Apache-2.0", "MIT"}
        assert sum(len(numbers(text)) for text in source["ids"].values()) == source["rows"] > 1_000


def numbers(text: str) -> set[int]:
    found: set[int] = set()
    for run in text.split():
        first, _, last = run.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def test_ids_are_written_as_ranges() -> None:
    assert ranges([10, 1, 2, 3, 7, 9]) == "1-3 7 9-10"
    assert numbers(ranges([10, 1, 2, 3, 7, 9])) == {1, 2, 3, 7, 9, 10}
    assert ranges([]) == ""
