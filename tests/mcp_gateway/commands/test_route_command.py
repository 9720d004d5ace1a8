"""`mcp-gateway route`."""

import io
import re
from decimal import Decimal

import pytest

from mcp_gateway.commands.opening import with_gateway
from shared.domain.models import Model
from shared.providers.scripted import ScriptedServer
from tests.mcp_gateway.commands.conftest import Shell, on_terminal


def chats(provider: ScriptedServer) -> int:
    return sum(seen.path.endswith("/chat/completions") for seen in provider.seen)


def test_the_plan_is_a_table_and_nobody_is_asked(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("route", "Say hello.", "--max-layer", "L2")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("openai/gpt-6-luna in L1 would be asked first (about $")
    assert lines[1] == "The prompt: about 3 tokens; layers L1 to L2."
    assert lines[2].startswith("Its complexity is 0.")
    assert lines[4].split() == ["layer", "model", "$/M", "in/out", "$", "about", "$", "most", "cooling"]
    assert lines[5].startswith("✓ 1  L1     openai/gpt-6-luna")
    assert any(line.startswith("✓ 2  L2     openai/") for line in lines)
    assert any(line.startswith("✗") and "provider openrouter is not available" in line for line in lines)
    assert chats(provider) == 0


def test_it_can_be_read_at_80_columns(environ: dict[str, str], shell: Shell, provider: ScriptedServer) -> None:
    shown = on_terminal({**environ, "DEFAULT_LAYER": "L1"}, 80, "route", "Say hello.", "--max-layer", "L2")
    assert max(len(line.rstrip()) for line in shown.splitlines() if line.startswith(("✓", "✗", " "))) <= 80
    assert "openai/gpt-6-luna" in shown


def test_json_holds_all_of_it(shell: Shell, provider: ScriptedServer) -> None:
    found = shell("route", "Say hello.", "--json", "--model", "gpt-6-luna", "--max-tokens", "9").json
    assert found["firstChoice"] == "openai/gpt-6-luna"
    assert found["facts"]["maxTokens"] == 9
    assert len(found["attempts"]) == 1
    assert "features" in found["facts"]["complexity"]


def test_a_budget_that_is_too_small_says_why_nobody_is_left(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("route", "hi", "--budget", "0")
    assert done.code == 0
    assert done.out.startswith("Nobody would be asked: 'gateway.budgetUsd' leaves $0.000000 and this may cost $")
    assert "Budgets leave $0." in done.out
    assert "✓" not in done.out


def test_a_dash_reads_the_question_from_stdin(
    shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("x" * 4_000))
    assert "about 1001 tokens" in shell("route", "-").out


def test_an_unknown_model_is_one_line_with_what_to_do(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("route", "hi", "--model", "openai/gpt-6-lunaa")
    assert done.code == 1
    assert done.err.startswith("error: There is no model 'openai/gpt-6-lunaa'. Did you mean 'openai/gpt-6-luna'")


def test_wrong_options_are_named(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("route", "hi", "--budget", "much")
    assert done.code == 1
    assert "budgetUsd" in done.err


def test_a_budget_that_is_used_up_is_named_as_the_chat_names_it(shell: Shell, provider: ScriptedServer) -> None:
    budget = shell("budgets", "set", "0", "--json").json["budget"]
    said = shell("chat", "hi", "--model", "L1", "--json").json["error"]
    assert budget["id"] in said
    told = shell("route", "hi", "--model", "L1").out.splitlines()[0]
    assert _without_need(told) == f"Nobody would be asked: {_without_need(said)}"


def _without_need(text: str) -> str:
    """How a chat is sent bears on the most that it may cost."""
    return re.sub(r"up to \$[0-9.]+", "up to", text)


def test_leave_to_pay_in_the_free_layer_can_be_given(
    shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEND_GUARD", "true")
    monkeypatch.setenv("DEFAULT_LAYER", "L0")
    prices = {"price_per_1k_input_tokens": Decimal(1), "price_per_1k_output_tokens": Decimal(1)}
    model = Model(id="paid", provider="openai", api_model_name="scripted", layer="L0", **prices)
    with_gateway(lambda gateway: gateway.registry.add(model))
    assert "allowPaid" in shell("route", "hi", "--model", "paid").out
    assert shell("route", "hi", "--model", "paid", "--allow-paid").out.startswith("paid in L0 would be asked first")
    assert shell("chat", "hi", "--model", "paid").code == 1
    assert shell("chat", "hi", "--model", "paid", "--allow-paid").code == 0
    (listed,) = [entry for entry in shell("models", "list", "--json").json["models"] if entry["id"] == "paid"]
    assert listed["available"] is False
    assert listed["whyNot"].startswith("it bills $1000")
