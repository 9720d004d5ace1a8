import random
from collections.abc import Iterator

import pytest

from shared.routing.learning.heads import Heads
from shared.routing.learning.rewards import Lesson

SIZE = 8


def requests(count: int, *, seed: int = 1) -> Iterator[tuple[list[float], bool]]:
    """Inputs, and whether the request is of the kind that only the higher layer can do."""
    chance = random.Random(seed)
    for _ in range(count):
        hard = chance.random() < 0.5
        yield [1.0, 0.9 if hard else -0.9, *(chance.uniform(-1, 1) for _ in range(SIZE - 2))], hard


def trained(count: int = 2_000, *, reverse: bool = False, heads: Heads | None = None, seed: int = 1) -> Heads:
    """Heads that only ever saw the outcome of the layer that served, chosen at random."""
    heads = heads or Heads()
    heads.fit(SIZE)
    chance = random.Random(seed + 100)
    for x, hard in requests(count, seed=seed):
        layer = chance.choice(("L0", "L1"))
        good = layer == "L1" or hard == reverse
        heads.learn(layer, x, 0.5, Lesson(float(good)))  # type: ignore[arg-type]
    return heads


def right(heads: Heads, *, reverse: bool = False) -> float:
    """How often the gain of going up is the greater for the requests that need it."""
    gains = [
        (heads.good("L1", x, 0.5) - heads.good("L0", x, 0.5), hard != reverse) for x, hard in requests(400, seed=7)
    ]
    middle = sorted(gain for gain, _ in gains)[len(gains) // 2]
    return sum((gain > middle) == hard for gain, hard in gains) / len(gains)


def test_a_rule_is_learned_from_the_outcomes_of_the_layer_that_served() -> None:
    assert right(trained()) > 0.9


def test_without_outcomes_nothing_is_known() -> None:
    heads = Heads()
    heads.fit(SIZE)
    assert {heads.good("L0", x, 0.5) for x, _ in requests(50)} == {heads.good("L0", [1.0] + [0.0] * 7, 0.5)}


def test_the_prior_gives_hard_requests_more_to_gain_from_a_higher_layer() -> None:
    heads = Heads()
    heads.fit(SIZE)
    x = [0.0] * SIZE
    gains = [heads.good("L1", x, score) - heads.good("L0", x, score) for score in (0.0, 0.1, 0.2, 0.3, 0.4)]
    assert gains == sorted(gains)


def test_an_outcome_leaves_the_heads_of_other_layers_alone() -> None:
    heads = Heads()
    heads.fit(SIZE)
    x = [1.0] * SIZE
    before = heads.good("L1", x, 0.5)
    heads.learn("L0", x, 0.5, Lesson(0.0))
    assert heads.good("L1", x, 0.5) == before
    assert heads.seen("L1") == 0


def test_what_has_changed_is_learned_anew() -> None:
    heads = trained(4_000)
    assert right(trained(4_000, reverse=True, heads=heads, seed=3), reverse=True) > 0.9


def test_no_stream_of_outcomes_takes_the_weights_out_of_bounds() -> None:
    heads = Heads()
    heads.fit(SIZE)
    for _ in range(5_000):
        heads.learn("L0", [1.0] * SIZE, 1.0, Lesson(0.0, 3.0))
    head = heads.state({}).heads["L0"]
    assert max(map(abs, head.means)) <= 4
    assert max(head.precisions) < 1_000
    assert 0 < heads.good("L0", [1.0] * SIZE, 0.0) < 0.5


def test_a_revised_outcome_counts_as_the_later_one() -> None:
    x = [1.0, 0.5, *[0.2] * (SIZE - 2)]
    changed_mind, meant_it = Heads(), Heads()
    for heads in (changed_mind, meant_it):
        heads.fit(SIZE)
    changed_mind.learn("L0", x, 0.5, Lesson(1.0, 3.0))
    changed_mind.revise("L0", x, 0.5, Lesson(-1.0, 3.0))
    meant_it.learn("L0", x, 0.5, Lesson(0.0, 3.0))
    assert changed_mind.good("L0", x, 0.5) == pytest.approx(meant_it.good("L0", x, 0.5), abs=0.02)
    assert changed_mind.seen("L0") == meant_it.seen("L0") == 3


def test_inputs_of_another_length_start_it_afresh() -> None:
    heads = trained(200)
    heads.fit(SIZE + 1)
    assert heads.seen("L0") == 0
    heads.learn("L0", [1.0] * SIZE, 0.5, Lesson(1.0))  # an outcome of a request from before
    assert heads.seen("L0") == 0


def test_what_is_kept_goes_on_where_it_was() -> None:
    heads = trained(500)
    again = Heads()
    again.restore(heads.state({}))
    x = [1.0, 0.9, *[0.3] * (SIZE - 2)]
    assert again.good("L0", x, 0.5) == pytest.approx(heads.good("L0", x, 0.5), abs=1e-3)
    assert again.learned == heads.learned


def test_what_others_learned_is_added_to_what_came_meanwhile() -> None:
    mine, other = trained(300), trained(300)
    before = mine.state({})
    now = trained(300, heads=other, seed=9).state({})
    mine.learn("L0", [1.0] * SIZE, 0.5, Lesson(1.0))
    mine.catch_up(before, now)
    assert mine.learned == 601
    assert mine.state({}).heads["L1"] == now.heads["L1"]
    assert mine.state({}).heads["L0"] != now.heads["L0"]
