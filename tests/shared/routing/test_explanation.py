"""An explanation is the plan that a chat would get, and leaves no trace."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.domain.identity import LOCAL
from shared.domain.models import Layer
from shared.domain.shares import parse_shares
from shared.errors import NotFound, Unsupported
from shared.routing.learning.learner import Learner, Mode
from shared.routing.learning.rewards import Outcome
from shared.routing.policy import Policy
from tests.support.chat_stack import ChatStack, ask, chat_stack

QUESTION = "Prove that there are infinitely many primes, and explain each step of the argument."
LEARNS = "L0=50,L1=50"


def question(text: str = QUESTION, **more: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], "gateway": {"maxLayer": "L1"}, **more}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[ChatStack]:
    async with chat_stack(tmp_path) as found:
        yield found


async def learned(folder: Path, mode: Mode, text: str) -> tuple[Layer | None, bool, str]:
    """What is explained of a text, and where a chat then goes, once the router has seen that L0 cannot do proofs."""
    learner = Learner(mode, parse_shares(LEARNS))
    async with chat_stack(folder, learner=learner) as stack:
        await stack.add("scripted-n1", price_per_1k_input_tokens="0", price_per_1k_output_tokens="0")
        await stack.add("scripted-n2", layer="L1", price_per_1k_input_tokens="0", price_per_1k_output_tokens="0")
        for number in range(160):
            caller, hard = replace(LOCAL, request_id=f"r{number}"), number % 2 == 1
            await stack.router.complete(caller, ask(**question(QUESTION if hard else "hi")))
            for layer in ("L0", "L1"):
                learner.outcome(caller, layer, Outcome(agreed=layer == "L1" or not hard))
        before = learner.state()
        counts = dict(learner.counts)
        caller = replace(LOCAL, request_id="new")
        found = await stack.router.explain(caller, ask(**question(text)))
        again = await stack.router.explain(caller, ask(**question(text)))
        assert found == again
        assert (learner.state(), dict(learner.counts)) == (before, counts)
        assert learner.kept(caller) is None
        answer = await stack.router.complete(caller, ask(**question(text)))
        assert answer.route.model.id == found.plan.attempts[0].id
        return found.choice.layer if found.choice else None, found.followed, answer.route.model.layer


@pytest.mark.parametrize(("text", "layer"), [("hi", "L0"), (QUESTION, "L1")])
async def test_what_was_learned_is_followed_by_both_alike(tmp_path: Path, text: str, layer: Layer) -> None:
    assert await learned(tmp_path, "on", text) == (layer, True, layer)


async def test_a_router_that_only_watches_says_what_it_would_do(tmp_path: Path) -> None:
    assert await learned(tmp_path, "shadow", QUESTION) == ("L1", False, "L0")


async def test_one_that_does_not_learn_has_no_opinion(tmp_path: Path) -> None:
    assert await learned(tmp_path, "off", QUESTION) == (None, False, "L0")


async def test_every_candidate_is_there_and_the_first_are_those_of_a_chat(stack: ChatStack) -> None:
    for number in range(40):
        await stack.add(f"scripted-{number}", priority=number, capabilities={"code": number == 39})
    await stack.add("scripted-off", priority=99, enabled=False)
    code = [{"role": "user", "content": "```x```"}]
    found = await stack.router.explain(LOCAL, ask(messages=code))
    assert len({model.id for model in found.plan.attempts}) == 40
    assert [item.model.id for item in found.plan.dropped] == ["scripted/scripted-off"]
    answer = await stack.chat(messages=code)
    assert answer.route.model.id == found.plan.attempts[0].id


async def test_nobody_is_asked_and_no_conversation_begins(stack: ChatStack) -> None:
    await stack.add("scripted")
    for _ in range(2):
        assert (await stack.router.explain(LOCAL, ask(user="ann"))).stay == ""
    assert (stack.server.requests, stack.decisions) == (0, [])
    await stack.chat(user="ann")
    assert (await stack.router.explain(LOCAL, ask(user="ann"))).stay == "scripted/scripted"


async def test_an_unknown_name_and_what_is_turned_off_are_refused_as_by_a_chat(tmp_path: Path) -> None:
    async with chat_stack(tmp_path, Policy(cross_check=False)) as stack:
        await stack.add("scripted")
        with pytest.raises(NotFound, match="Did you mean"):
            await stack.router.explain(LOCAL, ask(model="scriptd"))
        with pytest.raises(Unsupported, match="enableCrossCheck"):
            await stack.router.explain(LOCAL, ask(gateway={"crossCheck": True}))
