"""The table of aims has a line for each, whatever was measured."""

import pytest

from bench.aims import AIMS, Aim, table


def line(aim: Aim, value: float) -> str:
    section, name = aim.figure
    return aim.line({section: {name: value}})


def test_every_aim_has_a_line_also_before_anything_is_measured() -> None:
    lines = table({}).splitlines()[2:]
    assert len(lines) == len(AIMS)
    assert all("not measured yet: `make bench" in one for one in lines)


@pytest.mark.parametrize("aim", AIMS, ids=lambda aim: aim.what)
def test_a_line_says_what_was_reached_and_what_limits_it(aim: Aim) -> None:
    said = line(aim, aim.bound)
    assert "✓" in said
    assert aim.limits in said
    assert said.count("|") == 6


@pytest.mark.parametrize("aim", AIMS, ids=lambda aim: aim.what)
def test_missing_an_aim_is_shown(aim: Aim) -> None:
    assert "✗" in line(aim, aim.bound * (0.5 if aim.more_is_better else 2))


def test_going_beyond_is_shown() -> None:
    for aim in AIMS:
        if aim.beyond is not None:
            assert "✓✓" in line(aim, aim.beyond)
