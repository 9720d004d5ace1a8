"""`mcp-gateway chat`."""

import io
import os
import re
from decimal import Decimal
from typing import Any

import pytest

from shared.providers.scripted import ScriptedServer
from tests.mcp_gateway.commands.conftest import Shell


def asked(provider: ScriptedServer) -> dict[str, Any]:
    """The body of the last chat."""
    return next(seen.body for seen in reversed(provider.seen) if seen.path.endswith("/chat/completions"))


def test_the_answer_is_on_stdout_and_its_story_on_stderr(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("chat", "Say hello.")
    assert done.code == 0
    assert done.out == "word0 word1 word2 word3 word4 word5 word6 word7 \n"
    assert "— gpt-6-luna (openai) · L1 · 11+8 tokens · $0.000005 ·" in done.err


def test_json_holds_all_of_it(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("chat", "hi", "--json", "--system", "Be brief.", "--max-tokens", "9", "--temperature", "0.1")
    facts = done.json
    assert facts["text"].startswith("word0")
    assert (facts["model"], facts["provider"], facts["layer"]) == ("gpt-6-luna", "openai", "L1")
    assert facts["usage"]["completion_tokens"] == 8
    assert facts["finishReason"] == "stop"
    assert done.err == ""
    body = asked(provider)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["temperature"] == 0.1


def test_a_dash_reads_the_question_from_stdin(
    shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe"))
    assert shell("chat", "-").code == 0
    assert asked(provider)["messages"][-1]["content"] == "from a pipe"


def test_an_unknown_model_is_one_line_with_what_to_do(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("chat", "hi", "--model", "openai/gpt-6-lunaa", "--json")
    assert done.code == 1
    assert done.json["code"] == "model_not_found"
    assert done.err.startswith("error: There is no model 'openai/gpt-6-lunaa'")
    assert "gpt-6-luna" in done.err


def test_no_model_at_all_says_what_to_set_up(shell: Shell) -> None:
    done = shell("chat", "hi")
    assert done.code == 1
    assert "mcp-gateway doctor" in done.err


def test_wrong_options_are_named(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("chat", "hi", "--max-layer", "L9")
    assert done.code == 1
    assert "maxLayer" in done.err


UP = ("chat", "hi", "--agreement", "--max-layer", "L2")
CHEAPEST = "openrouter/qwen/qwen3.8-flash"


@pytest.fixture
def ladder(shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """Two models in L1 that contradict each other, and better ones in L2."""
    monkeypatch.setenv("OPENROUTER_BASE_URL", provider.base_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "x")
    provider.says["qwen/qwen3.8-flash"] = "42"
    return provider


def test_a_check_is_told_with_its_verdict_and_cost(shell: Shell, ladder: ScriptedServer) -> None:
    done = shell("chat", "hi", "--cross-check")
    assert done.code == 0
    assert re.search(r"— check by \S+/\S+: unclear \(the reviewing model gave no verdict\)", done.err)
    assert "— beside the answer this cost " in done.err


def test_with_leave_the_answer_goes_a_layer_up(shell: Shell, ladder: ScriptedServer) -> None:
    done = shell(*UP, "--yes")
    assert done.code == 0
    assert done.out.startswith("word0")
    assert "· L2 ·" in done.err
    assert "— two models did not agree" in done.err
    assert f"— went up: no_agreement: {CHEAPEST} → " in done.err


def test_without_anybody_to_ask_the_cheap_answer_stays(shell: Shell, ladder: ScriptedServer) -> None:
    done = shell(*UP)
    assert done.code == 0
    assert done.out == "42\n"
    assert "was not confirmed by a second model; " in done.err
    assert "may do better and costs up to $" in done.err
    assert "— qwen/qwen3.8-flash (openrouter) · L1 · 11+2 tokens · $" in done.err
    assert "--yes goes there." in done.err


def test_json_has_the_cheap_answer_and_the_offer(shell: Shell, ladder: ScriptedServer) -> None:
    facts = shell(*UP, "--json").json
    assert (facts["text"], facts["modelId"], facts["layer"]) == ("42", CHEAPEST, "L1")
    assert facts["usage"]["completion_tokens"] == 2
    assert len(facts["requestId"]) == 24
    assert facts["offer"]["nextLayer"] == "L2"
    assert facts["offer"]["reason"] == "no_agreement"
    assert 0 < facts["costUsd"] < facts["offer"]["costUsd"]
    assert "--yes" in facts["note"]


@pytest.mark.parametrize(("answer", "goes"), [(True, True), (False, False)])
def test_on_a_terminal_the_user_is_asked(
    shell: Shell, ladder: ScriptedServer, monkeypatch: pytest.MonkeyPatch, answer: bool, goes: bool
) -> None:
    asked: list[str] = []

    def confirm(question: str, **options: object) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr("typer.confirm", confirm)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    done = shell(*UP)
    assert done.out.startswith("42\n")
    assert ("word0" in done.out) == goes
    (question,) = asked
    assert ", for up to $" in question
    footers = [line for line in done.err.splitlines() if " tokens · $" in line]
    assert len(footers) == (2 if goes else 1)
    assert "--yes" not in done.err, "whoever is asked needs no option"
    costs = [Decimal(line.split(" · $")[1].split(" · ")[0]) for line in footers]
    if goes:
        (beside,) = re.findall(r"beside the answer this cost \$([0-9.]+)", done.err)
        assert costs[1] > costs[0] == Decimal(beside), "the total has the first answer in it"
        assert f"— went up: no_agreement: {CHEAPEST} → openai/" in done.err
    spent = shell("usage", "--json").json["total"]["costUsd"]
    assert Decimal(str(spent)) == pytest.approx(costs[-1], abs=Decimal("0.000001"))


def test_a_budget_bounds_the_answer(shell: Shell, ladder: ScriptedServer) -> None:
    done = shell("chat", "hi", "--model", "L1", "--budget", "0", "--json")
    assert done.code == 1
    assert done.json["code"] == "budget_exceeded"


def test_a_chats_decision_can_be_looked_up(shell: Shell, provider: ScriptedServer) -> None:
    names = {shell("chat", "hi", "--json").json["requestId"] for _ in range(2)}
    assert len(names) == 2
    report = shell("replay", "--policy", os.devnull, "--json").json
    assert report["requests"] == 2
    assert shell("usage", "--json").json["total"]["requests"] == 2
