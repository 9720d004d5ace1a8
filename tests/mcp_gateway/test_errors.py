"""Every failure of the core as a model reads it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_gateway.errors import ADVICE, MEANINGS, internal, meaning_of, protocol_error, text_of, tool_result
from shared import errors
from shared.errors import GatewayError
from shared.gateway import Gateway
from tests.support.mcp_stack import add, client_of
from tests.support.mcp_stack import text_of as text_of_result

ROOT = Path(__file__).parents[2]


def every_error(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from every_error(child)


@pytest.mark.parametrize("kind", list(every_error()), ids=lambda kind: kind.__name__)
def test_every_error_class_says_what_to_do(kind: type[GatewayError]) -> None:
    assert kind in MEANINGS
    result = tool_result(kind("Something is wrong."))
    text = result.content[0].text  # type: ignore[union-attr]
    assert result.is_error
    assert text.startswith("Something is wrong.")
    assert f"What to do: {MEANINGS[kind].advice}" in text
    assert f"(code: {kind.code})" in text


def test_the_table_names_nothing_else() -> None:
    assert set(MEANINGS) == set(every_error())


def test_a_class_of_its_own_means_what_its_parent_means() -> None:
    class Special(errors.UpstreamTimeout):
        pass

    assert meaning_of(Special("slow")) is MEANINGS[errors.UpstreamTimeout]


def terminal_codes() -> set[str]:
    """The codes of what goes wrong at a terminal, as the sources give them."""
    found: set[str] = set()
    for path in (ROOT / "shared" / "terminal").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "TerminalError":
                values = [word.value for word in node.keywords if word.arg == "code"]
                found |= {value.value for value in values if isinstance(value, ast.Constant)}
    return found


def test_what_goes_wrong_at_a_terminal_has_advice_of_its_own() -> None:
    """To check that the target is there helps where it could not be reached, and nowhere else."""
    codes = terminal_codes() - {"connection_failed"}
    assert len(codes) > 10
    assert codes | {"authentication_failed"} <= set(ADVICE)


def test_a_refused_login_names_no_arguments_that_the_tool_does_not_take() -> None:
    refused = errors.TerminalError(
        "box:22 refused the login of me; check 'username', 'password' or 'privateKey'.", code="authentication_failed"
    )
    said = text_of(refused)
    assert said.startswith("box:22 refused the login of me.\n")
    assert "privateKey" not in said
    assert "save a connection" in said


def test_the_wait_is_named() -> None:
    assert "It can work again in 8 s." in text_of(errors.RateLimited("Too many.", retry_after=7.2))


def test_details_are_put_into_words() -> None:
    error = errors.UpstreamError(
        "All 2 models failed.",
        details={"attempts": [{"model": "a", "provider": "openai", "code": "x", "message": "It is down."}]},
    )
    assert "- a (openai): It is down." in text_of(error)
    fields = [{"field": "one", "reason": "is bad"}, {"field": "two", "reason": "is worse"}]
    text = text_of(errors.InvalidInput("'one' is not valid: is bad.", details={"fields": fields}))
    assert "- two: is worse" in text
    assert "- one" not in text
    assert "- nearest: gpt, gpt-2" in text_of(errors.NotFound("No.", details={"nearest": ["gpt", "gpt-2"]}))
    assert "more words" in text_of(errors.Unavailable("No.", details="more words"))


def test_details_within_details_are_words_too_without_what_is_not_there() -> None:
    budget = {"appliesTo": "tag", "keyId": None, "tag": {"name": "team", "value": "a"}, "limitUsd": 0, "fixed": False}
    error = errors.BudgetExceeded("No.", details={"budget": budget, "neededUsd": 0.5, "empty": None})
    assert text_of(error).splitlines()[1:3] == [
        "- budget: appliesTo tag, tag (name team, value a), limitUsd 0, fixed no",
        "- neededUsd: 0.5",
    ]
    long = text_of(errors.NotFound("No.", details={"all": [{"a": "b" * 100}] * 1_000}))
    assert len(long) < 500


def test_what_is_meant_for_the_log_stays_there() -> None:
    error = errors.Unavailable("No.", operator_detail="postgresql://secret")
    assert "secret" not in text_of(error)
    assert "secret" not in str(protocol_error(error, "x://y").error)


def test_a_long_message_is_cut() -> None:
    assert len(text_of(errors.UpstreamError("x" * 100_000, details="y" * 100_000))) < 10_000


def test_a_resource_that_is_not_there_is_the_clients_mistake_and_a_lost_database_is_not() -> None:
    assert protocol_error(errors.NotFound("No."), "x://y").code == -32602
    away = protocol_error(errors.Unavailable("Away."), "x://y")
    assert (away.code, away.data) == (-32603, {"uri": "x://y", "code": "unavailable"})


def test_a_bug_is_told_without_its_text() -> None:
    assert "request 7" in internal("7")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (errors.NotFound("There is no such chat.", code="chat_not_found"), "Ask anew, without chatId."),
        (errors.Forbidden("This API key may use only the models a.", code="key_limit"), "with model `auto`"),
        (errors.Conflict("The user has agreed.", code="approval_given"), "Call again as it says."),
        (errors.NotFound("There is no such kept output.", code="output_not_found"), "again with run_command"),
    ],
)
def test_what_has_a_better_way_out_than_its_class_says_so(error: GatewayError, advice: str) -> None:
    said = text_of(error)
    assert advice in said
    assert "Do not try again" not in said
    assert "right name" not in said


@pytest.mark.parametrize(("status", "code", "advice"), [
    (401, "provider_auth_failed", "must set a valid key"),
    (402, "provider_quota_exceeded", "is used up"),
])  # fmt: skip
async def test_an_account_that_does_not_work_is_told_as_that(
    gateway: Gateway, status: int, code: str, advice: str
) -> None:
    await add(gateway, f"scripted-e{status}")
    async with client_of(gateway) as client:
        said = text_of_result(await client.call_tool("chat", {"message": "hi", "model": f"scripted-e{status}"}))
    assert f"(code: {code})" in said
    assert advice in said
    assert "Try again" not in said


async def test_a_budget_names_the_argument_that_the_tool_takes(gateway: Gateway) -> None:
    await add(gateway, "scripted", layer="L1")
    async with client_of(gateway) as client:
        said = text_of_result(
            await client.call_tool("chat", {"message": "hi", "model": "scripted", "budgetUsd": 0.000001})
        )
    assert "max_tokens" not in said
    refused = errors.BudgetExceeded("The budget is used up: ask for fewer max_tokens.")
    assert "ask for fewer maxTokens" in text_of(refused)


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (("read_terminal", {"sessionId": "term-none"}), "list_terminals lists the open sessions"),
        (("open_terminal", {"connection": "none"}), "list_terminals lists the saved connections"),
    ],
    ids=["session", "connection"],
)
async def test_what_is_not_found_says_where_to_look(
    gateway: Gateway, call: tuple[str, dict[str, object]], advice: str
) -> None:
    async with client_of(gateway) as client:
        assert f"What to do: {advice}" in text_of_result(await client.call_tool(*call))
