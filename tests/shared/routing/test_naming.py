"""Where the name in a request leads: registered models first, then aliases within what the caller may use."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.domain.aliases import Alias
from shared.domain.identity import LOCAL
from shared.domain.models import Model
from shared.errors import GatewayError, NotFound
from tests.support.chat_stack import ChatStack, ask, asked, chat_stack


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[ChatStack]:
    async with chat_stack(tmp_path) as found:
        await found.aliases.replace(
            (Alias(name="opus", targets=["L3", "L2", "auto"]), Alias(name="fixed", targets=["scripted-n7"]))
        )
        for layer in ("L0", "L1", "L2", "L3"):
            await found.add(f"scripted-{layer}", layer=layer)
        yield found


async def test_an_alias_leads_to_the_first_layer_with_a_model_that_can_answer(stack: ChatStack) -> None:
    assert (await stack.chat(model="opus")).route.model.layer == "L3"
    await stack.registry.toggle_layer("L3", False)
    assert (await stack.chat(model="opus[1m]")).route.model.layer == "L2"
    for layer in ("L2", "L1"):
        await stack.registry.update(f"scripted/scripted-{layer}", {"provider": "nobody"})
    assert (await stack.chat(model="opus")).route.model.layer == "L0"
    assert [decision.facts.model for decision in stack.decisions] == ["L3", "L2", "auto"]
    assert [decision.facts.alias for decision in stack.decisions] == ["opus", "opus[1m]", "opus"]


async def test_a_stream_follows_it_too(stack: ChatStack) -> None:
    async with stack.router.stream(LOCAL, ask(model="opus", stream=True)) as answer:
        assert answer.route.model.layer == "L3"
        async for _ in answer:
            pass


async def test_a_registered_model_wins_over_an_alias_by_its_id_and_by_its_name(stack: ChatStack) -> None:
    await stack.aliases.replace((Alias(name="scripted*", targets=["L3"]), Alias(name="*", targets=["L2"])))
    assert (await stack.chat(model="scripted-L1")).route.model.layer == "L1"
    await stack.add("scripted-n5", id="mine")
    await stack.chat(model="mine")
    assert asked(stack)[-1] == "scripted-n5"
    assert {decision.facts.alias for decision in stack.decisions} == {""}


async def test_a_registered_model_that_is_off_or_away_wins_as_well(stack: ChatStack) -> None:
    await stack.add("opus", enabled=False)
    with pytest.raises(GatewayError, match="turned off"):
        await stack.chat(model="opus")


async def test_a_model_of_the_seed_whose_provider_has_no_key_leaves_its_name_to_the_aliases(stack: ChatStack) -> None:
    await stack.add("opus", id="x/opus", provider="nobody", layer="L1", source="seed")
    assert (await stack.chat(model="opus")).route.model.layer == "L3"
    with pytest.raises(GatewayError, match="nobody is not available"):
        await stack.chat(model="x/opus")


async def test_what_the_caller_may_not_use_and_the_request_does_not_want_is_passed_over(stack: ChatStack) -> None:
    bounded = replace(LOCAL, max_layer="L2")
    assert (await stack.router.complete(bounded, ask(model="opus"))).route.model.layer == "L2"
    few = replace(LOCAL, models=frozenset({"scripted-L0"}))
    assert (await stack.router.complete(few, ask(model="opus"))).route.model.layer == "L0"
    low = ask(model="opus", gateway={"maxLayer": "L2"})
    assert (await stack.router.complete(LOCAL, low)).route.model.layer == "L2"


async def test_an_explanation_and_an_error_name_the_alias_and_what_it_stands_for(stack: ChatStack) -> None:
    found = await stack.router.explain(LOCAL, ask(model="opus"))
    assert (found.facts.asked, found.facts.model, found.plan.attempts[0].layer) == ("opus", "L3", "L3")
    await stack.add("scripted-n7", enabled=False)
    with pytest.raises(GatewayError, match=r"'fixed' is an alias of 'scripted-n7'.*turned off"):
        await stack.chat(model="fixed")
    await stack.registry.delete("scripted/scripted-n7")
    with pytest.raises(NotFound, match="no model 'scripted-n7'"):
        await stack.chat(model="fixed")


async def test_a_name_without_a_rule_stays_unknown(stack: ChatStack) -> None:
    with pytest.raises(NotFound, match="no model 'opusx'"):
        await stack.chat(model="opusx")


async def test_cached_answers_are_those_of_what_the_alias_stands_for_now(stack: ChatStack) -> None:
    for _ in range(2):
        await stack.chat(model="opus", gateway={"cache": True})
    assert len(asked(stack)) == 1
    await stack.aliases.replace((Alias(name="opus", targets=["L1"]),))
    answer = await stack.chat(model="opus", gateway={"cache": True})
    assert answer.route.model.layer == "L1"


async def test_a_name_is_looked_up_only_where_it_is_unknown(stack: ChatStack, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Model = await stack.add("scripted-n9")

    def refused(*_: object) -> None:
        raise AssertionError("an alias was looked up")

    monkeypatch.setattr(type(stack.router._naming), "resolved", refused)
    for name in (None, "auto", model.id):
        await stack.chat(**({} if name is None else {"model": name}))
