"""The canonical payload in Ollama's form."""

from typing import Any

import pytest

from shared.errors import InvalidInput, Unsupported
from shared.providers.ollama.encode import ROOM, ROOM_TO_THINK, asked_window, encode, room_in
from shared.providers.ollama.traits import Traits

MESSAGES = [{"role": "user", "content": "Hi"}]
BOTH = (True, False)
LEVELS = ("low", "medium", "high")


def encoded(thinking: tuple[bool | str, ...] = (), **payload: Any) -> dict[str, Any]:
    return encode({"messages": MESSAGES, **payload}, Traits(thinking=thinking), model="m", stream=True)


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def test_a_bare_request_forbids_cutting_and_leaves_the_rest_to_the_model() -> None:
    assert encoded() == {
        "model": "m",
        "messages": MESSAGES,
        "stream": True,
        "truncate": False,
        "shift": False,
        "options": {},
    }


def test_sampling_goes_into_the_options() -> None:
    given = {"temperature": 0.5, "top_p": 0.9, "top_k": 20, "min_p": 0, "seed": 7, "frequency_penalty": 0.1}
    assert encoded(**given, stop="END", max_tokens=5)["options"] == {**given, "stop": ["END"], "num_predict": 5}
    assert encoded(max_completion_tokens=6, max_tokens=5, stop=["a", ""])["options"] == {
        "num_predict": 6,
        "stop": ["a"],
    }


def test_the_callers_own_options_win_but_cannot_load_the_model_otherwise() -> None:
    own = {"temperature": 0.1, "repeat_penalty": 1.1, "stop": ["x"], "num_gpu": 0, "num_ctx": 9, "num_thread": 1}
    assert encoded(temperature=1, options=own)["options"] == {
        "temperature": 0.1,
        "repeat_penalty": 1.1,
        "stop": ["x"],
    }


def test_what_has_no_number_is_left_out() -> None:
    assert encoded(temperature=None, top_k="many", min_p=True, options=[1], stop=None)["options"] == {}


def test_what_ollama_knows_passes_and_what_it_does_not_is_dropped() -> None:
    known = {"keep_alive": "10m", "logprobs": True, "top_logprobs": 3, "truncate": True, "think": "high"}
    unknown = {"user": "u", "logit_bias": {"1": 1}, "store": True, "service_tier": "auto", "parallel_tool_calls": True}
    body = encoded(**known, **unknown)
    assert known.items() <= body.items()
    assert not unknown.keys() & body.keys()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}, {"type": "object"}),
        ({"type": "text"}, None),
    ],
)
def test_response_formats(wanted: dict[str, Any], expected: Any) -> None:
    assert encoded(response_format=wanted).get("format") == expected


@pytest.mark.parametrize("described", [None, {}, {"schema": "x"}])
def test_a_schema_that_is_none_is_the_callers_fault(described: Any) -> None:
    with pytest.raises(InvalidInput):
        encoded(response_format={"type": "json_schema", "json_schema": described})


@pytest.mark.parametrize(
    ("effort", "thinking", "expected"),
    [
        ("high", BOTH, True),
        ("none", BOTH, False),
        ("none", (), False),
        ("high", (), None),
        (None, BOTH, None),
        ("turbo", BOTH, None),
        (["high"], BOTH, None),
        ("minimal", LEVELS, "low"),
        ("medium", LEVELS, "medium"),
        ("max", LEVELS, "high"),
        ("none", LEVELS, "low"),
        ("xhigh", ("high", "max", False), "high"),
        ("max", ("high", "max", False), "max"),
        ("none", ("high", "max", False), False),
    ],
)
def test_efforts(effort: Any, thinking: tuple[bool | str, ...], expected: Any) -> None:
    assert encoded(thinking, reasoning_effort=effort).get("think") == expected
    assert encoded(thinking, reasoning={"effort": effort}).get("think") == expected


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (None, ["a", "b"]),
        ("auto", ["a", "b"]),
        ("required", ["a", "b"]),
        ("none", []),
        ({"type": "function", "function": {"name": "b"}}, ["b"]),
        ({"type": "allowed_tools", "allowed_tools": {"tools": [{"type": "function", "name": "a"}]}}, ["a"]),
        ({"type": "function", "function": {"name": "zzz"}}, ["a", "b"]),
        ({"type": "allowed_tools", "allowed_tools": {"tools": 7}}, ["a", "b"]),
        ({"type": "function", "function": {"name": ["b"]}}, ["a", "b"]),
    ],
)
def test_tool_choices(choice: Any, names: list[str]) -> None:
    body = encoded(tools=[tool("a"), tool("b")], tool_choice=choice)
    assert [one["function"]["name"] for one in body.get("tools", [])] == names


def test_the_old_form_of_tools() -> None:
    functions = [{"name": "a"}, {"name": "b"}]
    assert encoded(functions=functions, function_call={"name": "b"})["tools"] == [
        {"type": "function", "function": {"name": "b"}}
    ]


@pytest.mark.parametrize(
    "payload",
    [{"n": 2}, {"modalities": ["text", "audio"]}, {"tools": [{"type": "custom", "custom": {"name": "x"}}]}],
)
def test_what_ollama_cannot_do_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        encoded(**payload)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, 0),
        ({"num_ctx": 8_192}, 8_192),
        ({"options": {"num_ctx": 16_384}, "num_ctx": 1}, 16_384),
        ({"num_ctx": "8192"}, 0),
        ({"num_ctx": True}, 0),
        ({"num_ctx": -1}, 0),
        ({"num_ctx": 10**12}, 0),
    ],
)
def test_the_window_that_a_caller_names(payload: dict[str, Any], expected: int) -> None:
    assert asked_window(payload) == expected


@pytest.mark.parametrize(
    ("thinking", "payload", "expected"),
    [
        ((), {}, ROOM),
        (BOTH, {}, ROOM_TO_THINK),
        (BOTH, {"reasoning_effort": "none"}, ROOM),
        (BOTH, {"max_tokens": 50}, 50),
        ((), {"options": {"num_predict": -1}}, ROOM),
        ((), {"options": {"num_predict": 1e300}}, ROOM),
    ],
)
def test_the_room_for_the_answer(thinking: tuple[bool | str, ...], payload: dict[str, Any], expected: int) -> None:
    assert room_in(encoded(thinking, **payload), Traits(thinking=thinking)) == expected
