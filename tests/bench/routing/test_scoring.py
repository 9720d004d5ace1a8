"""The figures of the router's report."""

import pytest

pytest.importorskip("bench.routing.scoring", reason="a source distribution has no benchmarks")

import numpy as np

from bench.routing.scoring import Judged, area, area_within, quality_at

GAIN = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0, -1.0, 1.0])
COST = np.array([1.0, 1.0, 2.0, 1.0, 4.0, 1.0, 1.0, 1.0])
ROWS = Judged(GAIN, COST, np.array([0, 0, 0, 0, 1, 1, 1, 1]))
ONES = np.ones(8)


def test_what_tells_nothing_is_at_one_half() -> None:
    assert area(np.zeros(8), ROWS, ONES) == 0.5
    assert area_within(np.zeros(8), ROWS, ONES) == 0.5
    assert area_within(ROWS.kinds.astype(float), ROWS, ONES) == 0.5


def test_the_best_order_is_above_and_the_worst_below() -> None:
    assert area(GAIN, ROWS, ONES) > 0.8
    assert area(-GAIN, ROWS, ONES) == pytest.approx(1 - area(GAIN, ROWS, ONES))


def test_cost_counts_and_not_only_the_number_of_calls() -> None:
    rows = Judged(np.array([1.0, 1.0]), np.array([1.0, 3.0]), np.array([0, 0]))
    assert area(np.array([2.0, 1.0]), rows, np.ones(2)) == 0.625
    assert area(np.array([1.0, 2.0]), rows, np.ones(2)) == 0.375


def test_a_row_that_counts_twice_is_as_two_rows() -> None:
    score = np.arange(8.0)
    doubled = Judged(np.append(GAIN, GAIN[3]), np.append(COST, COST[3]), np.append(ROWS.kinds, 0))
    counts = np.where(np.arange(8) == 3, 2.0, 1.0)
    assert area(score, ROWS, counts) == pytest.approx(area(np.append(score, score[3]), doubled, np.ones(9)))


def test_resamples_draw_rows_within_kinds_or_whole_kinds() -> None:
    rows, kinds = ROWS.resamples(whole_kinds=False), ROWS.resamples(whole_kinds=True)
    assert (rows[:, :4].sum(1) == 4).all()
    assert (rows[:, 4:].sum(1) == 4).all()
    assert (kinds[:, :4] == kinds[:, :1]).all()
    assert set(kinds[:, 0]) == {0, 1, 2}
    assert (ROWS.resamples(whole_kinds=False) == rows).all()


def test_quality_goes_from_always_weak_to_always_strong() -> None:
    weak = np.full(8, 0.5)
    assert quality_at(GAIN, ROWS, weak, 0.0) == 0.5
    assert quality_at(GAIN, ROWS, weak, 1.0) == 0.5 + GAIN.mean()
    assert quality_at(GAIN, ROWS, weak, 3 / 8) == 0.5 + 3 / 8
