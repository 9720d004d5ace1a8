"""The agreement of processes on shares, one look at a time."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.usage.agreement import DECLARE_SECONDS, SILENT_SECONDS, Agreement, Me, Position, divided, looked


def me(name: str = "a", now: float = 0.0, *, ready: bool = False, stopped: bool = True, told: bool = False) -> Me:
    return Me(id=name, now=now, ready=ready, stopped=stopped, told=told)


def look(found: Agreement | None, who: Me, known: str = "abc") -> Agreement:
    after = looked(found, who, known, "epoch-2")
    assert after is not None
    return Agreement.from_json(after.to_json())


def shared(*names: str) -> Agreement:
    found = look(None, me(names[0]), "".join(names))
    for name in names[1:]:
        found = look(found, me(name), "".join(names))
    assert found.stage == "sharing"
    return found


def test_shares_are_divided_once_everybody_has_declared() -> None:
    found = look(None, me("a"))
    assert (found.stage, set(found.members)) == ("declaring", {"a"})
    found = look(found, me("b"))
    assert found.stage == "declaring"
    found = look(found, me("c"))
    assert (found.stage, set(found.members)) == ("sharing", {"a", "b", "c"})


def test_a_process_that_was_killed_is_waited_for_only_so_long() -> None:
    found = look(look(None, me("a")), me("b", 1))
    assert look(found, me("a", DECLARE_SECONDS - 0.1)).stage == "declaring"
    found = look(found, me("a", DECLARE_SECONDS))
    assert (found.stage, set(found.members)) == ("sharing", {"a", "b"})


def test_a_process_that_still_spends_cannot_declare() -> None:
    assert looked(None, me("b", ready=True, stopped=False, told=True), "ab", "e") is None
    found = look(None, me("a"))
    assert set(look(found, me("b", stopped=False)).members) == {"a"}


def test_a_process_that_comes_late_has_no_share() -> None:
    assert set(look(shared("a", "b"), me("c")).members) == {"a", "b"}


def test_redis_counts_again_once_it_answers_all_and_all_have_told_it_everything() -> None:
    found = look(shared("a", "b"), me("a", 1, ready=True, stopped=False))
    assert found.stage == "sharing"
    found = look(found, me("b", 1, ready=True, stopped=False))
    assert found.stage == "closing"
    found = look(found, me("a", 2, ready=True, told=True))
    assert found.stage == "closing"
    found = look(found, me("b", 2, ready=True))
    assert found.stage == "closing"
    assert looked(found, me("b", 3, ready=True, told=True), "ab", "e") is None


def test_what_was_told_before_the_closing_does_not_count() -> None:
    found = look(shared("a", "b"), me("a", 1, ready=True, stopped=False))
    found = look(found, me("b", 1, ready=True, told=True))
    assert found.stage == "closing"
    assert not any(member.told for member in found.members.values())


def test_when_redis_goes_away_again_they_begin_anew() -> None:
    found = replace(shared("a", "b"), stage="closing")
    assert look(found, me("a", 1, stopped=False)) == found  # it must stop first
    found = look(found, me("a", 1), "ab")
    assert (found.epoch, found.stage, set(found.members)) == ("epoch-2", "declaring", {"a"})


def test_a_process_that_died_holds_nobody_up() -> None:
    found = look(shared("a", "b"), me("a", SILENT_SECONDS - 1, ready=True, stopped=False))
    found = look(found, me("a", SILENT_SECONDS + 1, ready=True, stopped=False))
    assert (found.stage, set(found.members)) == ("closing", {"a"})
    assert looked(shared("a", "b"), me("c", SILENT_SECONDS + 1, ready=True, told=True), "c", "e") is None
    assert set(look(shared("a", "b"), me("c", SILENT_SECONDS + 1), "c").members) == {"c"}


@pytest.mark.parametrize(
    ("positions", "share", "told"),
    [
        ([], "0.333333333", "0"),
        ([("0.2", "0.2", "0", "0")], "0.266666666", "0.2"),
        # one heard of 0.1 and the other, later, of 0.3; each knows what Redis has not heard
        ([("0.1", "0.1", "0.05", "0.1"), ("0.3", "0.3", "0.05", "0.2")], "0.1", "0.3"),
        # the usage table knows more than Redis
        ([("0.1", "0.7", "0", "0")], "0.1", "0.1"),
        ([("0.9", "0.9", "0.2", "0.1")], "0", "0.9"),
    ],
)
def test_what_is_left_is_divided_with_nothing_counted_too_little(positions: Any, share: str, told: str) -> None:
    names = ("told", "confirmed", "unsent", "held")
    made = [{"k": Position(**dict(zip(names, map(Decimal, each), strict=True)))} for each in positions]
    found = divided({"k": Decimal(1)}, [*made, *({} for _ in range(3 - len(made)))])
    assert found == {"k": (Decimal(share), Decimal(told))}
