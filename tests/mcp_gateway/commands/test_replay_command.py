"""`mcp-gateway replay`, on a real data folder."""

from pathlib import Path

import pytest

from shared.providers.scripted import ScriptedServer
from tests.mcp_gateway.commands.conftest import Shell, on_terminal

CHEAP, DEARER = "openai/gpt-6-luna", "openai/gpt-6.1-terra"


def policy(text: str) -> str:
    """A file in the current folder."""
    Path("new.toml").write_text(text, "utf-8")
    return "new.toml"


@pytest.fixture
def chats(shell: Shell, provider: ScriptedServer) -> Shell:
    """Three requests have been answered in L1."""
    for number in range(3):
        assert shell("chat", f"hello {number}").code == 0
    return shell


def test_a_policy_that_changes_nothing_says_so(chats: Shell) -> None:
    done = chats("replay", "--policy", policy(""))
    assert done.code == 0, done.err
    assert done.out.startswith("3 requests from ")
    assert "from model" not in done.out
    report = chats("replay", "--policy", policy(""), "--json").json
    assert (report["requests"], report["changed"], report["unanswerable"]) == (3, 0, 0)
    assert report["cost"]["thenUsd"] == report["cost"]["nowUsd"] > 0


def test_another_start_shows_models_costs_and_examples(chats: Shell) -> None:
    done = chats("replay", "--policy", policy('default_layer = "L2"'))
    lines = [line.split() for line in done.out.splitlines()]
    assert ["another", "model", "3"] in lines
    (group,) = [line for line in lines if line[:3] == [CHEAP, DEARER, "3"]]
    assert float(group[3]) < float(group[4])
    examples = [line for line in lines if line[-2:] == [CHEAP, DEARER]]
    assert len(examples) == 2
    assert "it may use more or fewer" in done.out, "what it cannot know is said"


def test_what_was_spent_is_what_usage_says_also_where_the_new_cost_is_not_known(chats: Shell) -> None:
    spent = chats("usage", "--json").json["total"]["costUsd"]
    new = '[models.new]\nprovider = "openai"\napi_model_name = "new"\nlayer = "L1"\npriority = 0\n'
    file = policy(new + f'[models."{CHEAP}"]\nenabled = false\n')
    report = chats("replay", "--policy", file, "--json").json
    assert report["cost"]["thenUsd"] == report["cost"]["notKnownThenUsd"] == pytest.approx(spent)
    assert (report["cost"]["nowUsd"], report["cost"]["notKnown"], report["changed"]) == (0, 3, 3)
    out = chats("replay", "--policy", file).out
    assert "The new cost of 3 requests, which came to $0.0000" in out
    assert "the others came to $0.00 then and would to $0.00 now." in out


def test_what_would_have_no_answer_says_why(chats: Shell) -> None:
    done = chats("replay", "--policy", policy("[layers.L1]\nenabled = false"))
    assert f"{CHEAP}: layer L1 is turned off" in done.out
    assert "3 requests would have no answer, and so cost less." in done.out


def test_a_limit_says_that_there_are_more(chats: Shell) -> None:
    done = chats("replay", "--policy", policy(""), "--limit", "2")
    assert done.out.startswith("2 requests from ")
    assert "There are older requests" in done.out


def test_on_a_terminal_it_fits(chats: Shell, environ: dict[str, str]) -> None:
    lines = on_terminal(environ, 80, "replay", "--policy", policy('default_layer = "L2"')).splitlines()
    tables = lines[
        : lines.index(
            "Whether another model's answer would have been as good, or would have been escalated, is not known."
        )
    ]
    assert max(map(len, tables)) <= 80


def test_without_decisions_it_says_what_to_do(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "mcp-gateway chat" in shell("replay", "--policy", policy("")).out
    monkeypatch.setenv("DECISION_DAYS", "0")
    assert "DECISION_DAYS is 0" in shell("replay", "--policy", policy("")).out


def test_a_wrong_policy_names_every_problem(shell: Shell) -> None:
    done = shell("replay", "--policy", policy('defalt_layer = "L1"\n[models.nobody]\nweight = 2'))
    assert done.code == 1
    assert "did you mean 'default_layer'?" in done.err
    assert 'models."nobody": there is no such model' in done.err


@pytest.mark.parametrize("text", ["= 1", None])
def test_a_file_that_cannot_be_read_is_named(shell: Shell, text: str | None) -> None:
    name = "none.toml" if text is None else policy(text)
    done = shell("replay", "--policy", name)
    assert done.code == 1
    assert f"{name} cannot be read as TOML" in done.err
