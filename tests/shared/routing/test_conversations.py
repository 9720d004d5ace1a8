"""Conversations: which model they are with, for how long, and what it takes to leave it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.routing.policy import Policy
from tests.support.chat_stack import ChatStack, asked, chat_stack, text_of


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[ChatStack]:
    async with chat_stack(tmp_path, Policy(spend_guard=False, max_escalation_layer="L2")) as found:
        yield found


def turn(number: int, opening: str = "begin", **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": opening}]
    for count in range(number):
        messages += [{"role": "assistant", "content": f"a{count}"}, {"role": "user", "content": f"u{count}"}]
    return {"messages": messages, **body}


@pytest.mark.parametrize("name", [{}, {"user": "ann"}, {"gateway": {"session": "s1"}}])
async def test_a_conversation_stays_with_its_model_while_it_works(stack: ChatStack, name: dict[str, Any]) -> None:
    first = await stack.add("scripted-first1-e500", priority=0)
    await stack.add("scripted", priority=1)
    assert (await stack.chat(**turn(0, **name))).payload["model"] == "scripted"
    stack.health.succeeded(first)  # it is well again
    for number in (1, 2):
        assert (await stack.chat(**turn(number, **name))).payload["model"] == "scripted"
    assert (await stack.chat(**turn(1, "another one"))).payload["model"] == "scripted-first1-e500"


async def test_only_a_name_tells_that_a_first_message_goes_on_with_something(stack: ChatStack) -> None:
    first = await stack.add("scripted-first1-e500", priority=0)
    await stack.add("scripted", priority=1)
    await stack.chat(**turn(0))
    await stack.chat(**turn(0, gateway={"session": "s1"}))
    stack.health.succeeded(first)
    assert (await stack.chat(**turn(0))).payload["model"] == "scripted-first1-e500"
    assert (await stack.chat(**turn(0, gateway={"session": "s1"}))).payload["model"] == "scripted"


async def test_a_change_of_the_registry_holds_from_the_next_turn_on(stack: ChatStack) -> None:
    await stack.add("scripted-a", priority=1)
    assert (await stack.chat(**turn(0))).payload["model"] == "scripted-a"
    await stack.add("scripted-b", priority=0)
    assert (await stack.chat(**turn(1))).payload["model"] == "scripted-b"


async def test_a_failure_breaks_the_bond_and_the_next_model_takes_over_for_good(stack: ChatStack) -> None:
    first = await stack.add("scripted-p50-e500", priority=0)
    await stack.add("scripted", priority=1)
    assert (await stack.chat(**turn(0))).payload["model"] == "scripted-p50-e500"
    assert (await stack.chat(**turn(1))).payload["model"] == "scripted"
    stack.health.succeeded(first)
    assert (await stack.chat(**turn(2))).payload["model"] == "scripted"


async def failing_once(stack: ChatStack) -> None:
    stack.server.says |= {"scripted-first1-e500": "free", "scripted": "paid"}
    await stack.add("scripted-first1-e500", layer="L0")
    await stack.add("scripted", layer="L1")


async def test_a_failure_that_led_to_a_higher_layer_does_not_keep_the_conversation_there(tmp_path: Path) -> None:
    policy = Policy(spend_guard=False, auto_escalate=True, max_escalation_layer="L1")
    async with chat_stack(tmp_path, policy) as stack:
        await failing_once(stack)
        first = stack.registry.snapshot.models["scripted/scripted-first1-e500"]
        assert text_of(await stack.chat(**turn(0, user="u1"))) == "paid"
        assert text_of(await stack.chat(**turn(1, user="u1"))) == "paid", "the free one is cooling down"
        stack.health.succeeded(first)
        assert text_of(await stack.chat(**turn(2, user="u1"))) == "free"


async def test_a_model_asked_for_by_name_once_does_not_keep_the_conversation_in_its_layer(tmp_path: Path) -> None:
    policy = Policy(spend_guard=False, auto_escalate=True, max_escalation_layer="L1")
    async with chat_stack(tmp_path, policy) as stack:
        await stack.add("scripted", layer="L0")
        await stack.add("scripted-n2", layer="L1")
        for name in ("scripted-n2", "L1"):
            await stack.chat(**{**turn(0, user="u1"), "model": name})
            assert (await stack.chat(**turn(1, user="u1"))).payload["model"] == "scripted"


async def test_an_answer_that_had_to_escalate_keeps_the_conversation_where_it_was_good(tmp_path: Path) -> None:
    policy = Policy(spend_guard=False, auto_escalate=True, max_escalation_layer="L1")
    async with chat_stack(tmp_path, policy) as stack:
        await stack.add("scripted-len", layer="L0")
        await stack.add("scripted", layer="L1")
        await stack.chat(**turn(0, user="u1"))
        await stack.chat(**turn(1, user="u1"))
        assert asked(stack) == ["scripted-len", "scripted", "scripted"]
