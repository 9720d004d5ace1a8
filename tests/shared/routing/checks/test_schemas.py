"""Schemas that callers write: held to where they are sound, harmless where they are not."""

import asyncio
from typing import Any

import pytest

from shared.routing.checks.schemas import fits


@pytest.mark.parametrize(
    ("value", "schema", "good"),
    [
        ({"n": 1}, {"type": "object", "required": ["n"]}, True),
        ({}, {"type": "object", "required": ["n"]}, False),
        ("abc", {"pattern": "^a"}, True),
        ("xbc", {"pattern": "^a"}, False),
        ([1, 2], {"uniqueItems": True}, True),
        ([{"a": 1}, {"a": 1}], {"uniqueItems": True}, False),
        ({"a": {"a": {}}}, {"type": "object", "additionalProperties": {"$ref": "#"}}, True),
        ({"a": 3}, {"$defs": {"x": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/x"}}}, False),
    ],
)
def test_a_sound_schema_is_held_to(value: Any, schema: dict[str, Any], good: bool) -> None:
    assert fits(value, schema) is good


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"pattern": "("},
        {"pattern": "^(?=x)"},
        {"patternProperties": {"^(a+)+$": False}},
    ],
)
def test_a_schema_that_cannot_be_judged_by_says_nothing_against_an_answer(schema: dict[str, Any]) -> None:
    assert fits({"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!": 1}, schema)
    assert fits("aaa", schema)


async def test_no_schema_reaches_out_of_the_process() -> None:
    asked: list[str] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode())
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        url = f"http://127.0.0.1:{port}/schema.json"
        for schema in ({"$ref": url}, {"$dynamicRef": url}, {"$id": url, "$ref": "other.json"}):
            assert await asyncio.to_thread(fits, {"n": 1}, schema)
        assert await asyncio.to_thread(fits, {"n": 1}, {"$ref": "file:///etc/passwd"})
    assert asked == []


def test_a_pattern_cannot_run_away() -> None:
    assert not fits("a" * 100_000 + "!", {"pattern": "^(a+)+$"})


def test_a_schema_that_doubles_at_each_step_is_given_up() -> None:
    depth = 60
    levels = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(depth)}
    schema = {"$defs": {**levels, f"l{depth}": {"type": "string"}}, "$ref": "#/$defs/l0"}
    assert fits("x", schema)
