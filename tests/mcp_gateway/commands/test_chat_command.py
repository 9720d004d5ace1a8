"""`mcp-gateway chat`."""

import io
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
    done = shell("chat", "hi", "--model", "gpt-6-lunaa", "--json")
    assert done.code == 1
    assert done.json["code"] == "model_not_found"
    assert done.err.startswith("error: There is no model 'gpt-6-lunaa'")
    assert "gpt-6-luna" in done.err


def test_no_model_at_all_says_what_to_set_up(shell: Shell) -> None:
    done = shell("chat", "hi")
    assert done.code == 1
    assert "mcp-gateway doctor" in done.err


def test_wrong_options_are_named(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("chat", "hi", "--max-layer", "L9")
    assert done.code == 1
    assert "maxLayer" in done.err
