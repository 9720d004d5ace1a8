"""How answers are judged, over HTTP: agreement compares results, escalation sees what is wrong with an answer."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.domain.models import Model
from shared.providers.scripted_answers import Turn
from tests.support.http_gateway import Surface, surface

CHAT = "/v1/chat/completions"
EGGS = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast and bakes muffins with four. She sells the "
    "remainder for $2 per egg. How much in dollars does she make every day?"
)
WORKED = "She eats 3 for breakfast, so 16 - 3 = 13 are left.\n13 - 4 = 9 after baking.\nShe makes 9 * $2 = $<<9*2=18>>18.\n#### 18"
MAY = "You can safely take ibuprofen together with aspirin every day for as long as you like and as often as you like."
SUM = "def total(xs):\n    result = 0\n    for i in range(len(xs)):\n        result += xs[i]\n    return result"
TOLD = "Janet uses 3 + 4 = 7 eggs daily.\n\nThe remainder is 16 - 7 = 9 eggs.\n\nSo she makes $18 every day with the 9 eggs."


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Surface]:
    """Two models in L0, `scripted-a` before `scripted-b`, and one in L1."""
    async with surface(tmp_path) as found:
        for model in found.gateway.registry.snapshot.models.values():
            await found.gateway.registry.delete(model.id)
        for name, layer in (("scripted-a", "L0"), ("scripted-b", "L0"), ("scripted-n5", "L1")):
            facts = {
                "id": name,
                "provider": "openai",
                "api_model_name": name,
                "layer": layer,
                "priority": ord(name[-1]),
            }
            await found.gateway.registry.add(Model.model_validate(facts))
        yield found


async def two(here: Surface, question: str, one: str, other: str) -> dict[str, Any]:
    """What became of a question that two models answer so."""
    here.provider.says |= {"scripted-a": one, "scripted-b": other}
    options = {"agreement": 2, "maxLayer": "L1", "allowPaid": True}
    body = {"messages": [{"role": "user", "content": question}], "gateway": options}
    answer = await here.http.post(CHAT, json=body)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_prose_with_the_same_result_agrees(here: Surface) -> None:
    for one, other in ((WORKED, TOLD), (TOLD, WORKED)):
        found = await two(here, EGGS, one, other)
        assert found["gateway"]["agreement"]["agreed"] is True
        assert "escalation" not in found["gateway"]


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        (EGGS, WORKED, TOLD.replace("$18", "$26")),
        (
            "Can I take ibuprofen with aspirin?",
            MAY,
            MAY.replace("can safely", "cannot safely"),
        ),
        ("Add them up.", SUM, SUM.replace("len(xs)", "len(xs)-1")),
    ],
)
async def test_contradictions_and_doubts_go_a_layer_up(here: Surface, question: str, one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        found = await two(here, question, first, second)
        assert found["gateway"]["agreement"]["agreed"] is False
        assert found["gateway"]["escalation"]["steps"][0]["reason"] == "no_agreement"
        assert found["model"] == "scripted-n5"


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
FORM = {
    "type": "json_schema",
    "json_schema": {
        "name": "n",
        "strict": True,
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    },
}


async def one(here: Surface, text: str, **more: Any) -> dict[str, Any]:
    """What became of an answer that is that text."""
    here.provider.says["scripted-a"] = text
    options = {"escalate": True, "maxLayer": "L1", "allowPaid": True}
    body = {"messages": [{"role": "user", "content": "hi"}], "gateway": options, **more}
    answer = await here.http.post(CHAT, json=body)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("text", "more", "reason"),
    [
        ("I'm sorry, but I can't assist with that.", {}, "refused"),
        (
            '<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>',
            {"tools": [TOOL]},
            "tool_call_as_text",
        ),
        ('{"name": "weather", "arguments": {"city": "Paris"}}', {"tools": [TOOL]}, "tool_call_as_text"),
    ],
)
async def test_a_refusal_and_a_written_tool_call_go_a_layer_up(
    here: Surface, text: str, more: dict[str, Any], reason: str
) -> None:
    found = await one(here, text, **more)
    assert found["gateway"]["escalation"]["steps"][0]["reason"] == reason
    assert found["model"] == "scripted-n5"


async def test_json_in_a_fence_is_unwrapped_and_not_escalated(here: Surface) -> None:
    found = await one(here, 'Here you are:\n```json\n{"n": 1}\n```', response_format=FORM)
    assert found["choices"][0]["message"]["content"] == '{"n": 1}'
    assert "gateway" not in found
    wrong = await one(here, '```json\n{"n": "x"}\n```', response_format=FORM)
    assert wrong["gateway"]["escalation"]["steps"][0]["reason"] == "invalid_schema"
    plain = await one(here, '```json\n{"n": 1}\n```')
    assert plain["choices"][0]["message"]["content"].startswith("```json")


@pytest.mark.parametrize(
    ("schema", "escalates"),
    [
        ({"properties": {"city": {"type": "string"}}, "required": ["city"]}, False),
        ({"properties": {"city": {"type": "string"}}, "required": ["city", "day"]}, True),
        ({"properties": {"city": {"type": "integer"}}}, True),
    ],
)
async def test_a_call_with_a_missing_or_wrong_argument_goes_a_layer_up(
    here: Surface, schema: dict[str, Any], escalates: bool
) -> None:
    facts = {"id": "caller", "provider": "openai", "api_model_name": "scripted-tool", "layer": "L0", "priority": 1}
    await here.gateway.registry.add(Model.model_validate(facts))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", **schema}}}
    found = await one(here, "", tools=[tool])
    assert found["model"] == ("scripted-n5" if escalates else "scripted-tool")
    steps = found.get("gateway", {}).get("escalation", {}).get("steps", ())
    assert [step["reason"] for step in steps] == ["invalid_tool_arguments"] * escalates


WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
RIGHT = Turn(calls=(("weather", {"city": "Paris", "days": 2}),))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Turn(calls=(("wether", {"city": "Paris"}),)), "unknown_tool"),
        (Turn(calls=(("weather", {"days": 2}),)), "invalid_tool_arguments"),
        (Turn(calls=(("weather", {"city": "Paris", "days": "two"}),)), "invalid_tool_arguments"),
        (Turn(calls=(("weather", {"city": "Paris"}), ("wether", {}))), "unknown_tool"),
        ('<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>', "tool_call_as_text"),
        ('```json\n{"name": "weather", "parameters": {"city": "Paris"}}\n```', "tool_call_as_text"),
        ("I'm sorry, but I can't help with that request.", "refused"),
        (RIGHT, None),
        ("It rains in Paris. I cannot say for how long.", None),
    ],
)
async def test_each_shortcoming_goes_a_layer_up_whole_and_streamed(
    here: Surface, said: str | Turn, reason: str | None, stream: bool
) -> None:
    here.provider.says["scripted-a"] = lambda _: said
    body = {
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": [WEATHER],
        "stream": stream,
        "gateway": {"escalate": True, "maxLayer": "L1", "allowPaid": True},
    }
    answer = await here.http.post(CHAT, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-model"] == ("scripted-a" if reason is None else "scripted-n5")
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")] if stream else [answer.text]
    events = [orjson.loads(line) for line in lines]
    steps = [step for event in events for step in event.get("gateway", {}).get("escalation", {}).get("steps", ())]
    assert [step["reason"] for step in steps] == ([] if reason is None else [reason])
    shown = orjson.dumps([event["choices"] for event in events]).decode()
    assert ("Paris" in shown) is (reason is None)  # nothing of an answer that was not good enough
