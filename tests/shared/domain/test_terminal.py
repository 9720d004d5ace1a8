"""Sessions and commands, as callers write and see them."""

from typing import Any

import pytest

from shared.domain.terminal import CommandResult, Execute, ReadOutput, RunCommand, Send, SessionRef
from shared.errors import InvalidInput
from shared.operations.dispatch import parse


@pytest.mark.parametrize(
    ("kind", "payload", "field"),
    [
        (Execute, {"id": "s"}, "command"),
        (Execute, {"id": "s", "command": ""}, "command"),
        (Execute, {"id": "s", "command": " \n"}, "command"),
        (Execute, {"id": "s", "command": "a\0b"}, "command"),
        (Execute, {"id": "s", "command": "x" * 100_001}, "command"),
        (Execute, {"id": "s", "command": "é" * 50_001}, "command"),
        (Execute, {"id": "s", "command": "\ud800"}, "command"),
        (Execute, {"id": "s", "command": "x", "timeoutMs": 0}, "timeoutMs"),
        (Execute, {"id": "s", "command": "x", "timeoutMs": 1.5}, "timeoutMs"),
        (Execute, {"id": "s", "command": "x", "timeoutMs": "1000"}, "timeoutMs"),
        (Execute, {"id": "s", "command": "x", "maxOutputBytes": 0}, "maxOutputBytes"),
        (Execute, {"id": "s", "command": "x", "stdin": 1}, "stdin"),
        (Send, {"id": "s", "data": ""}, "data"),
        (ReadOutput, {"id": "s", "cursor": -1}, "cursor"),
        (ReadOutput, {"id": "s", "waitMs": 60_001}, "waitMs"),
        (ReadOutput, {"id": "s", "view": "html"}, "view"),
        (RunCommand, {"command": "x", "sessionId": "s", "connection": "c"}, "connection"),
        (RunCommand, {"command": "x", "timeoutSeconds": 0}, "timeoutSeconds"),
        (RunCommand, {"command": "x", "timeoutSeconds": float("nan")}, "timeoutSeconds"),
        (RunCommand, {"command": "x", "shell": "sh"}, "shell"),
        (SessionRef, {"id": ""}, "id"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(kind: Any, payload: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(kind, payload)
    assert isinstance(refused.value.details, dict)
    assert refused.value.details["fields"][0]["field"] == field


def test_query_strings_are_taken_as_text() -> None:
    asked = parse(ReadOutput, {"id": "s", "cursor": "12", "waitMs": "500", "view": "screen"}, strict=False)
    assert (asked.cursor, asked.wait_ms, asked.view) == (12, 500, "screen")


def test_whole_seconds_are_seconds_too() -> None:
    assert parse(RunCommand, {"command": "x", "timeoutSeconds": 5}).timeout_seconds == 5


def test_a_result_has_every_promised_field_on_the_wire() -> None:
    result = CommandResult(
        stdout="",
        stderr="",
        exit_code=None,
        duration_ms=5,
        timed_out=True,
        truncated=False,
        cwd="/",
        stdout_bytes=0,
        stderr_bytes=0,
    )
    assert result.model_dump(mode="json") == {
        "stdout": "",
        "stderr": "",
        "exitCode": None,
        "durationMs": 5,
        "timedOut": True,
        "truncated": False,
        "cwd": "/",
        "stdoutBytes": 0,
        "stderrBytes": 0,
    }
