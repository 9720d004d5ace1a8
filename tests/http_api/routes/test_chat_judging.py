"""How answers are judged, over HTTP: agreement compares results, escalation sees what is wrong with an answer."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain.models import Model
from tests.support.http_gateway import Surface, surface

CHAT = "/v1/chat/completions"
EGGS = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast and bakes muffins with four. She sells the "
    "remainder for $2 per egg. How much in dollars does she make every day?"
)
WORKED = "She eats 3 for breakfast, so 16 - 3 = 13 are left.\n13 - 4 = 9 after baking.\nShe makes 9 * $2 = $<<9*2=18>>18.\n#### 18"
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
            "You can take ibuprofen together with aspirin every day for as long as you like.",
            "You cannot safely take ibuprofen together with aspirin every day for as long as you like.",
        ),
        ("Which loop?", "for i in range(len(xs)): print(xs[i])", "for i in range(len(xs)-1): print(xs[i])"),
    ],
)
async def test_contradictions_and_doubts_go_a_layer_up(here: Surface, question: str, one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        found = await two(here, question, first, second)
        assert found["gateway"]["agreement"]["agreed"] is False
        assert found["gateway"]["escalation"]["steps"][0]["reason"] == "no_agreement"
        assert found["model"] == "scripted-n5"
