"""What a name stands for that nobody has registered."""

import pytest
from pydantic import ValidationError

from shared.domain.aliases import Alias, Resolution, default_aliases, resolve, rule_for

TABLE = (
    Alias(name="opus", targets=["L3", "auto"]),
    Alias(name="*[1m]", targets=["L2"]),
    Alias(name="claude-*opus*", targets=["big", "L3"]),
    Alias(name="claude-*", targets=["L2", "L1"]),
)


@pytest.mark.parametrize(
    ("name", "able", "target", "rule"),
    [
        ("opus", {"L3"}, "L3", "opus"),
        ("OPUS", {"L3"}, "L3", "opus"),
        ("opus", {"auto"}, "auto", "opus"),
        ("claude-opus-4-8", {"big", "L3"}, "big", "claude-*opus*"),
        ("claude-3-opus-20240229", {"L3"}, "L3", "claude-*opus*"),
        ("claude-sonnet-5", {"L1"}, "L1", "claude-*"),
        ("claude-sonnet-5", set(), "L2", "claude-*"),
        ("mine[1m]", {"mine"}, "mine", ""),
        ("auto[1m]", {"auto"}, "auto", ""),
        ("mine[1m]", {"L2"}, "L2", "*[1m]"),
        ("opus[1m]", {"L3"}, "L3", "opus"),
    ],
)
def test_the_first_rule_counts_and_its_first_target_that_is_able(
    name: str, able: set[str], target: str, rule: str
) -> None:
    assert resolve(name, TABLE, able.__contains__) == Resolution(target, rule)


def test_a_name_without_a_rule_leads_nowhere_but_to_what_stands_before_its_suffix() -> None:
    assert resolve("gemini", TABLE, lambda _: True) is None
    assert resolve("gemini[x]", (), lambda _: False) == Resolution("gemini", "")


@pytest.mark.parametrize("text", ["a?c", "a[bc]", "a.c"])
def test_only_the_star_is_special(text: str) -> None:
    assert rule_for("abc", [Alias(name=text, targets=["L0"])]) is None
    assert rule_for(text, [Alias(name=text, targets=["L0"])]) is not None


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("claude-haiku-4-5-20251001", ["auto"]),
        ("claude-sonnet-4-5", ["L2", "L1", "auto"]),
        ("claude-opus-4-8", ["L3", "L2", "L1", "auto"]),
        ("claude-opus-4-8[1m]", ["L3", "L2", "L1", "auto"]),
        ("haiku", ["auto"]),
        ("sonnet", ["L2", "L1", "auto"]),
        ("gpt-5.5", ["L2", "L1", "auto"]),
        ("gpt-5.4-mini", ["auto"]),
        ("gpt-5.6-luna", ["auto"]),
        ("gpt-oss-120b", ["auto"]),
    ],
)
def test_the_default_rules_send_the_roles_of_agents_to_their_layers(name: str, targets: list[str]) -> None:
    found = rule_for(name, default_aliases())
    assert found is not None
    assert found.targets == targets


def test_names_that_are_only_like_a_role_stay_unknown() -> None:
    for name in ("opus-mt-en-de", "sonnets", "openai/gpt-9", "anthropic/claude-9", "o5", "my-haiku"):
        assert rule_for(name, default_aliases()) is None, name


def test_a_rule_needs_a_name_and_a_target() -> None:
    for name, targets in (("", ["L0"]), ("a b", ["L0"]), ("a", [])):
        with pytest.raises(ValidationError):
            Alias(name=name, targets=targets)
