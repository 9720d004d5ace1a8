"""Results for people, and long output cut to fit."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_gateway import rendering
from mcp_gateway.rendering import fitted, size_of
from mcp_gateway.results import ChatResult, ChatUsage, Checks, CommandResult, ModelEntry, ModelsPage


def test_what_fits_stays_as_it_is() -> None:
    assert fitted("short\n", 100).text == "short\n"
    assert fitted("short\n", 100).left_out == 0


def test_a_long_text_keeps_its_beginning_and_its_end_in_whole_lines() -> None:
    text = "".join(f"line {number}\n" for number in range(10_000))
    cut = fitted(text, 2_000)
    head, _, tail = cut.text.partition("\n[… ")
    assert head.startswith("line 0\nline 1\n")
    assert head.splitlines()[-1] in text.splitlines()
    assert cut.text.endswith("line 9999\n")
    assert tail.partition("…]\n")[2].splitlines()[0] in text.splitlines()
    kept = len(head) + len(tail.partition("…]\n")[2])
    assert cut.left_out == pytest.approx(len(text) - kept, abs=2)


@given(st.text(max_size=3_000), st.integers(200, 2_000))
@settings(max_examples=200, deadline=None)
def test_whatever_the_text_it_fits(text: str, limit: int) -> None:
    cut = fitted(text, limit)
    assert size_of(cut.text) <= limit * 1.05 + 700
    assert (cut.left_out == 0) == (cut.text == text)


@pytest.mark.parametrize("letter", ["\0", "\x1b", "漢", "😀", "a", "\n", '"'])
def test_a_flood_of_any_letter_is_cut_by_what_it_costs(letter: str) -> None:
    assert size_of(fitted(letter * 200_000, 20_000).text) <= 21_500


def answer(**changes: object) -> ChatResult:
    facts: dict[str, object] = {
        "text": "Four.",
        "model": "m-1",
        "model_id": "openai:m-1",
        "provider": "openai",
        "layer": "L1",
        "usage": ChatUsage(prompt_tokens=3, completion_tokens=4, total_tokens=7, estimated=False),
        "cost_usd": Decimal("0.000120"),
        "attempts": 1,
        "finish_reason": "stop",
        "truncated": False,
        "chat_id": None,
        "duration_ms": 5,
        "note": "",
        "checks": None,
    }
    return ChatResult.model_validate({**facts, **changes})


def test_a_chat_reads_as_the_answer_and_a_line_on_how_it_came_about() -> None:
    assert rendering.chat(answer()) == "Four.\n\n— m-1 (openai, L1, 7 tokens, $0.00012)"
    assert rendering.chat(answer(cost_usd=Decimal(0), note="Cut short.")).endswith("7 tokens, free)\nCut short.")
    assert "cost not known" in rendering.chat(answer(cost_usd=None, usage=None))


def test_what_was_done_with_an_answer_takes_lines_of_its_own() -> None:
    checks = Checks(
        verdict="disputed",
        reviewer="c",
        arbitrator="d",
        issues=["A wrong sum."],
        why="nobody knows",
        agreed=True,
        steps=["refused: a → b"],
        ended="no higher layer is allowed or available",
        added_cost_usd=Decimal("0.25"),
    )
    assert rendering.chat(answer(checks=checks, note="Ask again.")).splitlines()[3:] == [
        "— two models agreed",
        "— went up: refused: a → b",
        "— went no higher: no higher layer is allowed or available",
        "— check by c, decided by d: disputed (nobody knows)",
        "  · A wrong sum.",
        "— beside the answer this cost $0.25",
        "Ask again.",
    ]


def test_an_answer_that_went_nowhere_did_not_go_up() -> None:
    checks = Checks(
        verdict=None,
        reviewer=None,
        arbitrator=None,
        issues=[],
        why="",
        agreed=None,
        steps=[],
        ended="the answer of a was cut off; no higher layer is allowed or available",
        added_cost_usd=Decimal(0),
    )
    assert rendering.checks(checks) == [
        "— went no higher: the answer of a was cut off; no higher layer is allowed or available"
    ]


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (None, "cost not known"),
        (Decimal(0), "free"),
        (Decimal("0.0000003"), "less than $0.000001"),
        (Decimal("0.0000051"), "$0.000005"),
        (Decimal("2"), "$2"),
        (Decimal("1.5"), "$1.5"),
    ],
)
def test_costs_are_put_into_words(cost: Decimal | None, words: str) -> None:
    assert rendering.dollars(cost) == words


def test_a_command_reads_as_a_terminal_shows_it() -> None:
    result = CommandResult(
        stdout="out\n",
        stderr="err\n",
        exit_code=3,
        duration_ms=12,
        timed_out=False,
        truncated=False,
        cwd="/x",
        session_id=None,
        sandbox="none",
        note="",
        output_id=None,
    )
    assert rendering.command(result) == "out\n[stderr]\nerr\n[exit code 3, 12 ms, in /x]"
    stopped = result.model_copy(update={"timed_out": True, "exit_code": None, "stderr": "", "note": "More time."})
    assert rendering.command(stopped) == "out\n[ended at its time-out, 12 ms, in /x]\nMore time."


def test_models_take_a_line_each() -> None:
    entry = ModelEntry(
        id="openai:m",
        model="m",
        provider="openai",
        layer="L1",
        available=False,
        why_not="layer L1 is turned off",
        priority=0,
        input_price=1.5,
        output_price=6,
        context_window=8000,
        capabilities=["general", "tools"],
    )
    text = rendering.models(ModelsPage(models=[entry], total=3, next_cursor="L1:0:openai:m"))
    assert text == (
        "3 models match.\n"
        "L1 openai:m (openai; general+tools; $1.5/$6 per million tokens in/out) — not available: layer L1 is turned off\n"
        "More: call again with cursor 'L1:0:openai:m'."
    )
    assert rendering.models(ModelsPage(models=[], total=0, next_cursor=None)) == "No model matches."
