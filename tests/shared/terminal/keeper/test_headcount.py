"""Counting what processes have below them."""

import os
import sys

import pytest

from shared.terminal.keeper import headcount, processes
from shared.terminal.keeper.headcount import Headcount
from tests.shared.terminal.keeper.test_processes import family
from tests.support.terminals import running_programs, until


async def test_only_who_has_too_many_is_named() -> None:
    few, enough, none = Headcount(1), Headcount(2), Headcount(0)
    with family() as (shell, nap), family() as (other, other_nap):
        await until(lambda: len(running_programs(nap, "sleep")) + len(running_programs(other_nap, "sleep")) == 4)
        assert few.crowded([shell, other]) == [shell, other]
        assert few.crowded([]) == enough.crowded([shell, other]) == none.crowded([shell]) == []
        for sleeper in running_programs(nap, "sleep"):
            sleeper.kill()
        await until(lambda: few.crowded([shell, other]) == [other])


@pytest.mark.skipif(headcount.last_number() is None, reason="this system does not tell which number was given out last")
async def test_nobody_is_counted_while_too_few_have_been_started_to_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []
    monkeypatch.setattr(processes, "sizes_below", lambda roots: counted.append(roots) or dict.fromkeys(roots, 3))
    monkeypatch.setattr(headcount, "last_number", lambda: 1000)
    heads = Headcount(10)
    assert heads.crowded([1]) == []
    assert not counted
    monkeypatch.setattr(headcount, "last_number", lambda: 1010)
    assert heads.crowded([1]) == []
    monkeypatch.setattr(headcount, "last_number", lambda: 1016)
    assert heads.crowded([1]) == []
    assert len(counted) == 1
    monkeypatch.setattr(headcount, "last_number", lambda: 1017)  # 3 and 7 more would be the limit
    assert heads.crowded([1]) == []
    monkeypatch.setattr(headcount, "last_number", lambda: 5)  # the numbers have begun anew
    assert heads.crowded([1]) == []
    assert len(counted) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="compares two ways of counting, of which one is Linux's")
async def test_both_ways_of_counting_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    with family() as (shell, nap):
        await until(lambda: len(running_programs(nap, "sleep")) == 2)
        assert processes.sizes_below([shell]) == {shell: 2}
        monkeypatch.setattr(os.path, "exists", lambda path: not str(path).endswith("children"))
        assert processes.sizes_below([shell]) == {shell: 2}
