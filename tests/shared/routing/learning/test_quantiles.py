import random

import pytest

from shared.routing.learning.quantiles import FEWEST, KEPT, WINDOW, RecentScores


def share_of(recent: RecentScores, scores: list[float], share: float) -> float:
    return sum(bool(recent.highest(score, share)) for score in scores) / len(scores)


def test_the_share_holds_when_the_traffic_changes() -> None:
    chance = random.Random(3)
    recent = RecentScores()
    chat = [chance.gauss(-1, 0.3) for _ in range(2_000)]
    maths = [chance.gauss(2, 0.3) for _ in range(2_000)]
    assert share_of(recent, chat, 0.3) == pytest.approx(0.3, abs=0.02)
    assert share_of(recent, maths[:WINDOW], 0.3) < 0.5  # they all look hard beside what was before
    assert share_of(recent, maths[WINDOW:], 0.3) == pytest.approx(0.3, abs=0.03)
    assert share_of(recent, chat, 0.3) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("step", [0.01, -0.01])
def test_the_share_holds_while_all_scores_move_one_way(step: float) -> None:
    recent = RecentScores()
    scores = [step * number for number in range(3_000)]
    share_of(recent, scores[:1_000], 0.2)
    assert share_of(recent, scores[1_000:], 0.2) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_the_share_holds_for_scores_that_are_all_the_same(share: float) -> None:
    recent = RecentScores([0.5] * FEWEST)
    assert share_of(recent, [0.5] * 1_000, share) == pytest.approx(share, abs=0.01)


def test_those_that_pass_are_the_highest() -> None:
    chance = random.Random(4)
    recent = RecentScores(chance.random() for _ in range(WINDOW))
    scores = [chance.random() for _ in range(1_000)]
    passed = [score for score in scores if recent.highest(score, 0.25)]
    assert min(passed) > 0.6
    assert sum(score > 0.8 for score in passed) > 0.9 * sum(score > 0.8 for score in scores)


def test_with_too_few_scores_nothing_is_said() -> None:
    recent = RecentScores()
    assert [recent.highest(float(number), 0.5) for number in range(FEWEST)] == [None] * FEWEST
    assert recent.highest(99.0, 0.5) is True


def test_looking_leaves_no_trace() -> None:
    chance = random.Random(5)
    one, other = RecentScores(range(FEWEST)), RecentScores(range(FEWEST))
    for _ in range(500):
        score = chance.uniform(0, FEWEST)
        for _ in range(3):
            one.look(99.0, 0.3)
        assert one.look(score, 0.3) == one.highest(score, 0.3) == other.highest(score, 0.3)


def test_only_the_latest_count() -> None:
    recent = RecentScores(range(10_000))
    for _ in range(10_000):
        recent.highest(1.0, 0.5)
    assert recent.latest == [1.0] * KEPT
    assert recent.look(0.9, 0.5) is False
    assert recent.look(1.1, 0.5) is True


def test_the_lot_is_for_one_in_so_many_and_for_the_share_of_those() -> None:
    recent = RecentScores()
    lots = [recent.lot(0.3, 4) for _ in range(4_000)]
    drawn = [lot for lot in lots if lot is not None]
    assert len(drawn) == 1_000
    assert sum(drawn) == pytest.approx(300, abs=5)
