"""Which commands a list of allowed programs lets through: those that are known, and no others."""

import pytest

from shared.domain.policy import CommandPolicy, Policy, Rule
from shared.terminal.policy.commands import seen
from shared.terminal.policy.rows import ROWS
from tests.shared.terminal.policy.corpus import action, lines, natural

UNKNOWN = lines("unknown.txt")
EVERYDAY = lines("everyday.txt")


def test_the_corpora_are_large() -> None:
    assert len(set(UNKNOWN)) >= 120
    assert len(set(EVERYDAY)) >= 120


@pytest.mark.parametrize("line", UNKNOWN)
def test_what_is_not_known_never_runs_unasked(line: str) -> None:
    assert action(line, natural("confirm")) in ("confirm", "deny", "command_unparsable")
    assert action(line, natural("deny")) in ("deny", "command_unparsable")


@pytest.mark.parametrize("line", EVERYDAY)
def test_everyday_work_runs_unasked(line: str) -> None:
    doubts = [act.doubt for act in seen(line).acts if act.doubt]
    assert (action(line, natural("confirm")), doubts) == ("allow", [])
    assert action(line, natural("deny")) == "allow"


def spelled(*wanted: str) -> CommandPolicy:
    return CommandPolicy(
        policies=[Policy(name="p", default="confirm", rules=[Rule(action="allow", lines=list(wanted))])]
    )


@pytest.mark.parametrize(
    ("rule", "line", "expected"),
    [
        ("git push origin *", "git push origin main", "allow"),
        ("git push origin *", "git push --force origin main", "confirm"),
        ("git push origin *", "git push origin main --receive-pack='rm x'", "confirm"),
        ("make test*", "make test -E '$(shell rm x)'", "confirm"),
        ("make test*", "make test --eval '$(shell rm x)'", "confirm"),
        ("make test*", "make test 'X=$(shell rm x)'", "confirm"),
        ("make test*", "make test -f- <<< 'test:;rm x'", "confirm"),
        ("make test**", "make test -j4 -C sub/dir", "allow"),
        ("make test**", "make test -E '$(shell rm x)'", "confirm"),
        ("make test**", "make test CC='$(CROSS)gcc'", "allow"),
        ("make -j? test", "make -j4 test", "allow"),
        ("make test ?j4", "make test -j4", "confirm"),
        ("make *", "make *", "confirm"),
        ("go test*", "go test -exec 'rm x'", "confirm"),
        ("make test*", "make test", "allow"),
        ("make test*", "make deploy", "confirm"),
        ("python3 -m pytest**", "python3 -m pytest tests/a -q", "allow"),
        ("python3 -m pytest**", "python3 -m timeit x", "confirm"),
        ("make test*", "make $x", "confirm"),
        ("make test*", "make test; rm x", "confirm"),
        ("make test*", "./make test", "confirm"),
        ("git status*", "git status -s", "allow"),
        ("git status*", "git -c core.fsmonitor=./x status", "confirm"),
    ],
)
def test_what_a_rule_spells_out_is_allowed_whatever_it_does(rule: str, line: str, expected: str) -> None:
    assert action(line, spelled(rule)) == expected


def test_the_reason_says_what_is_not_known() -> None:
    from shared.domain.identity import LOCAL
    from shared.terminal.policy import rules

    found = rules.judge(rules.applying(natural("confirm"), LOCAL, rules.Place()), seen("git grep -O./x foo"))
    assert "'-O'" in found.reason
    assert "lines" in found.reason


def test_no_name_stands_in_two_rows() -> None:
    names = [name for row in ROWS for name in row.names.split()]
    assert sorted(names) == sorted(set(names))
