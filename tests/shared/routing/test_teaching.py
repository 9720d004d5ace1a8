"""What the course of a request teaches, and whom."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.identity import LOCAL, Caller
from shared.domain.models import Layer
from shared.domain.shares import parse_shares
from shared.routing.learning.learner import Learner
from shared.routing.learning.rewards import Outcome
from shared.routing.policy import Policy
from tests.support.chat_stack import ChatStack, ask, chat_stack


class Listening(Learner):
    """A learner that also keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("shadow", parse_shares("L0=50,L1=50,L2=0,L3=0"))
        self.heard: list[tuple[Layer, Outcome]] = []

    def outcome(self, caller: Caller, layer: Layer, outcome: Outcome) -> None:
        self.heard.append((layer, outcome))
        super().outcome(caller, layer, outcome)


@pytest.fixture
def learner() -> Listening:
    return Listening()


@pytest.fixture
async def stack(tmp_path: Path, learner: Listening) -> AsyncIterator[ChatStack]:
    policy = Policy(spend_guard=False, max_escalation_layer="L2")
    async with chat_stack(tmp_path, policy, learner=learner) as found:
        yield found


async def test_an_answer_that_moved_up_teaches_both_layers(stack: ChatStack, learner: Listening) -> None:
    await stack.add("scripted-len")
    await stack.add("scripted", layer="L1")
    await stack.chat(gateway={"escalate": True})
    assert learner.heard == [("L0", Outcome(escalated=True, shortcoming="truncated")), ("L1", Outcome())]


async def test_a_correction_is_held_against_the_model_that_was_corrected(stack: ChatStack, learner: Listening) -> None:
    stack.server.says |= {
        "scripted-one": "41",
        "scripted-two": '{"verdict": "wrong", "issues": [], "corrected": "42"}',
        "scripted-three": '{"better": "second", "reason": "x"}',
    }
    await stack.add("scripted-one", layer="L0")
    await stack.add("scripted-two", layer="L1", provider="other")
    await stack.add("scripted-three", layer="L2")
    answer = await stack.chat(gateway={"crossCheck": True, "maxLayer": "L2"})
    assert answer.route.model.layer == "L1"
    assert learner.heard == [("L0", Outcome(verdict="corrected"))]


async def test_models_that_refuse_or_are_busy_are_not_told_of(stack: ChatStack, learner: Listening) -> None:
    await stack.add("scripted-e429", priority=0)
    await stack.add("scripted-policy", priority=1)
    await stack.add("scripted", priority=2, provider="other")
    await stack.chat()
    assert learner.heard == [("L0", Outcome())]


async def test_a_stream_tells_only_which_layer_served(stack: ChatStack, learner: Listening) -> None:
    await stack.add("scripted-len")
    async with stack.router.stream(LOCAL, ask(stream=True)) as events:
        async for _ in events:
            pass
    assert learner.heard == [("L0", Outcome())]
    assert learner.state().learned == 0


async def test_answers_that_cannot_be_compared_teach_nothing_of_the_first(stack: ChatStack, learner: Listening) -> None:
    stack.server.says |= {"scripted-a": "An essay about the sea.", "scripted-b": "Some lines about mountains."}
    await stack.add("scripted-a", priority=0)
    await stack.add("scripted-b", priority=1)
    await stack.add("scripted", layer="L1")
    answer = await stack.chat(gateway={"agreement": 2, "maxLayer": "L1"})
    assert answer.payload["gateway"]["agreement"]["unclear"] is True
    assert learner.heard == [("L1", Outcome())]
