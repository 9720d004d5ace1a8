"""`mcp-gateway budgets`."""

from decimal import Decimal

import pytest

from mcp_gateway.commands.budgets import bar
from tests.mcp_gateway.commands.conftest import Shell


def test_a_budget_is_set_listed_changed_and_deleted(shell: Shell) -> None:
    assert "$5.00 a month" in shell("budgets", "set", "5").out
    shell("budgets", "set", "0.5", "--period", "day", "--tag", "team=a=b")
    (changed,) = (shell("budgets", "set", "7.25", "--json").json["budget"],)
    everybody, tag = shell("budgets", "list", "--json").json["budgets"]
    assert everybody == changed
    assert (everybody["appliesTo"], everybody["limitUsd"]) == ("all", 7.25)
    assert (tag["tag"], tag["period"], tag["limitUsd"]) == ({"name": "team", "value": "a=b"}, "day", 0.5)
    table = shell("budgets").out
    assert "everybody" in table
    assert "tag team=a=b" in table
    assert "[--------------------] 0%" in table
    assert shell("budgets", "delete", tag["id"]).out == f"{tag['id']} is deleted.\n"
    assert [budget["id"] for budget in shell("budgets", "--json").json["budgets"]] == [everybody["id"]]
    assert shell("budgets", "delete", tag["id"]).code == 1


def test_a_tag_may_be_written_as_usage_takes_it(shell: Shell) -> None:
    for given in ("team:a", "team=a"):
        assert shell("budgets", "set", "1", "--tag", given, "--json").json["budget"]["tag"] == {
            "name": "team",
            "value": "a",
        }
    assert len(shell("budgets", "--json").json["budgets"]) == 1


def test_a_budget_for_a_key(shell: Shell) -> None:
    key = shell("keys", "create", "ci", "--json").json["key"]
    shell("budgets", "set", "1", "--key", key["id"])
    (budget,) = shell("budgets", "list", "--json").json["budgets"]
    assert (budget["appliesTo"], budget["keyId"]) == ("key", key["id"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("much",), "limitUsd"),
        (("1", "--period", "week"), "period"),
        (("1", "--key", "key-none"), "keyId"),
        (("1", "--tag", "=x"), "tag"),
        (("1", "--tag", "team"), "tag"),
        (("1", "--tag", "team="), "NAME=VALUE or NAME:VALUE"),
        (("1", "--tag", "team:"), "NAME=VALUE or NAME:VALUE"),
        (("1", "--tag", "a=b", "--key", "k"), "keyId"),
    ],
)
def test_what_is_wrong_with_a_budget_is_named(shell: Shell, arguments: tuple[str, ...], named: str) -> None:
    done = shell("budgets", "set", *arguments)
    assert done.code == 1
    assert named in done.err


def test_the_bar_shows_how_much_is_used() -> None:
    assert bar(Decimal(1), Decimal(4)) == "[#####---------------] 25%"
    assert bar(Decimal(9), Decimal(4)) == "[####################] 100%"
    assert bar(Decimal(0), Decimal(0)) == "[####################] 100%"
