"""What every coding agent must be able to do through the gateway, run with the real ones."""

import re

import pytest

from shared.providers.scripted_answers import THOUGHT, Turn
from tests.agents.agents import Agent
from tests.agents.stand import Stand, steps

TOO_LONG = re.compile(r"too long|context|compact", re.IGNORECASE)
WORDS = "word0 word1 word2 word3 word4 word5 word6 word7"


async def test_it_answers(agent: Agent, stand: Stand) -> None:
    done = await agent.ask("Say something.", model=await stand.add("scripted"))
    assert done.code == 0, done
    assert WORDS in done.out
    assert len(stand.chats) == 1


async def test_it_edits_a_file_and_runs_a_command(agent: Agent, stand: Stand) -> None:
    (stand.project / "notes.txt").write_text("one\n")
    calls = [*agent.edit("notes.txt", "one", "two"), agent.command("cp notes.txt copy.txt && echo co''pied")]
    turns = [Turn("Working.", (call,)) for call in calls]
    stand.provider.says["scripted-reason"] = steps(*turns, "All is done.")
    done = await agent.ask("Change one to two, and copy the file.", model=await stand.add("scripted-reason"))
    assert "All is done." in done.out, done
    assert (stand.project / "copy.txt").read_text() == "two\n"
    assert len(stand.chats) == len(turns) + 1
    last = stand.chats[-1].body["messages"]
    asked = [call["id"] for message in last for call in message.get("tool_calls") or ()]
    answered = [message["tool_call_id"] for message in last if message["role"] == "tool"]
    assert asked == answered
    assert all(identity.startswith("functions.") for identity in asked)
    assert "copied" in str(last[-1]["content"])
    answers = [message for message in last if message["role"] == "assistant"]
    assert [message.get("reasoning_content") for message in answers] == [THOUGHT] * len(turns)


async def test_it_runs_tools_in_parallel(agent: Agent, stand: Stand) -> None:
    calls = tuple(agent.command(f"echo he''re-{name} > {name}.txt && cat {name}.txt") for name in ("a", "b", "c"))
    stand.provider.says["scripted"] = steps(Turn("", calls), "All is done.")
    done = await agent.ask("Run them.", model=await stand.add("scripted"))
    assert "All is done." in done.out, done
    assert len(stand.chats) == 2
    sent = stand.chats[-1].body["messages"]
    results = {message["tool_call_id"]: str(message["content"]) for message in sent if message["role"] == "tool"}
    asked = [call["id"] for message in sent for call in message.get("tool_calls") or ()]
    assert [f"here-{name}" in results[identity] for name, identity in zip("abc", asked, strict=True)] == [True] * 3


async def test_an_overloaded_provider_that_recovers_is_not_noticed(agent: Agent, stand: Stand) -> None:
    done = await agent.ask("Say something.", model=await stand.add("scripted-e529-first2"))
    assert WORDS in done.out, done


async def test_an_answer_that_breaks_off_is_asked_for_again_or_said_to_have_failed(agent: Agent, stand: Stand) -> None:
    done = await agent.ask("Say a lot.", model=await stand.add("scripted-n300-drop200-first1"))
    if agent.repairs:
        assert "word298 word299" in done.out, done
    else:
        assert done.code != 0
        assert "The connection to the provider broke off." in done.said, done


async def test_a_conversation_that_is_too_long_is_said_to_be(agent: Agent, stand: Stand) -> None:
    await stand.add("scripted-ctx")
    done = await agent.ask("Say something.", model="scripted-ctx")
    assert done.code != 0, done
    assert TOO_LONG.search(done.said), done
    assert len(stand.chats) <= 3


async def test_each_turn_knows_the_ones_before_with_their_thinking(agent: Agent, stand: Stand) -> None:
    if not agent.resumes:
        pytest.skip("it continues a conversation in a terminal only")
    model = await stand.add("scripted-reason")
    for number in range(4):
        done = await agent.ask(f"This is turn {number}.", model=model, again=number > 0)
        assert WORDS in done.out, done
    sent = stand.chats[-1].body["messages"]
    assert [f"This is turn {number}." in str(sent) for number in range(4)] == [True] * 4
    answers = [message for message in sent if message["role"] == "assistant"]
    assert [message.get("reasoning_content") for message in answers] == [THOUGHT] * 3
