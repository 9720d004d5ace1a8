import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.identity import Caller
from shared.domain.models import Layer
from shared.domain.shares import parse_shares
from shared.routing.learning import learner as learner_module
from shared.routing.learning.choice import Choice
from shared.routing.learning.learner import Learner, Mode
from shared.routing.learning.remembered import MOST
from shared.routing.learning.rewards import Outcome
from tests.support.estimates import FACTS, Looked, asking, looked
from tests.support.logs import logged_by

COSTS: Mapping[Layer, Decimal | None] = {"L0": Decimal("0.001"), "L1": Decimal("0.01")}
GOOD = Outcome(verdict="confirmed")
BAD = Outcome(verdict="corrected")
OTHER = Caller(id="key:other", kind="key", name="other", scopes=frozenset({"chat"}))


def learner(mode: Mode = "on", shares: str = "L0=50,L1=50") -> Learner:
    return Learner(mode, parse_shares(shares))


def start(
    made: Learner, request_id: str = "r", *, estimate: Looked | None = None, usual: Layer = "L0", **more: Any
) -> Choice | None:
    costs = more.pop("costs", COSTS)
    return made.start(asking(request_id), FACTS, estimate=estimate or Looked(), usual=usual, costs=costs, **more)


def serve(
    made: Learner, count: int, *, seed: int = 1, costs: Mapping[Layer, Decimal | None] = COSTS
) -> list[tuple[Layer, bool]]:
    """Requests of which the hard half needs L1; only the outcome of the layer that served is told."""
    chance = random.Random(seed)
    served: list[tuple[Layer, bool]] = []
    for number in range(count):
        hard = chance.random() < 0.5
        caller = asking(f"{seed}-{number}")
        choice = made.start(caller, FACTS, estimate=looked(chance, hard=hard), usual="L0", costs=costs)
        layer: Layer = choice.layer if choice else "L0"
        made.outcome(caller, layer, GOOD if layer == "L1" or not hard else BAD)
        served.append((layer, hard))
    return served


def test_it_learns_who_needs_the_higher_layer_and_keeps_the_share() -> None:
    served = serve(learner(), 2_000)[1_000:]
    assert sum((layer == "L1") == hard for layer, hard in served) / len(served) > 0.85
    assert sum(layer == "L1" for layer, _ in served) / len(served) == pytest.approx(0.5, abs=0.05)


def test_off_remembers_and_learns_nothing() -> None:
    made = learner("off")
    assert {layer for layer, _ in serve(made, 300)} == {"L0"}
    assert made.vote("local", "1-0", 1.0) is False
    assert made.state().heads == {}
    assert made.counts == {}


def test_shadow_never_changes_where_a_request_starts_but_learns_and_says_what_it_would_do() -> None:
    made = learner("shadow")
    with logged_by(learner_module) as lines:
        assert {layer for layer, _ in serve(made, 1_000)} == {"L0"}
    said = [line for line in lines if line["event"] == "router would have started at"]
    assert said
    assert all((line["log_level"], line["layer"], line["usual"]) == ("info", "L1", "L0") for line in said)
    assert all(line["reason"].startswith("a good answer is expected") for line in said)
    assert made.counts["L0 to L1"] == len(said)
    assert made.counts["L0 to L0"] + made.counts["L0 to L1"] + made.counts["abstained"] == 1_000
    assert made.counts["outcomes"] == 1_000


def test_it_abstains_and_says_so_once_until_outcomes_show_what_a_higher_layer_gains() -> None:
    made = learner()
    with logged_by(learner_module) as lines:
        choices = [start(made, f"r{number}") for number in range(100)]
        assert set(choices) == {None}
        assert (made.abstains, made.standing) == (True, "")
        assert [line["event"].partition(" until ")[0] for line in lines] == ["router learning abstains"]
        serve(made, 400)
        assert len(lines) == 1
    assert made.abstains is False
    assert made.standing.startswith("L0-L1-paid ranks with ")
    assert start(made) is not None


@pytest.mark.parametrize("costs", [{}, {"L1": Decimal(1)}])
def test_it_abstains_where_there_is_nothing_to_choose(costs: Mapping[Layer, Decimal]) -> None:
    made = learner()
    assert {start(made, f"r{number}", costs=costs) for number in range(100)} == {None}


def test_unknown_prices_leave_the_gain_to_decide() -> None:
    unknown: Mapping[Layer, Decimal | None] = {"L0": None, "L1": None}
    served = serve(learner(), 2_000, costs=unknown)[1_000:]
    assert sum((layer == "L1") == hard for layer, hard in served) / len(served) > 0.85


def test_what_an_infrastructure_fault_ended_is_no_lesson() -> None:
    made = learner()
    start(made)
    made.outcome(asking("r"), "L0", Outcome(ended="provider_rate_limited"))
    assert made.state().learned == 0


def test_an_escalated_answer_counts_against_the_lower_layer_only() -> None:
    made = learner()
    start(made)
    made.outcome(asking("r"), "L0", Outcome(escalated=True))
    made.outcome(asking("r"), "L1", GOOD)
    assert made.heads.seen("L0") == made.heads.seen("L1") == 1
    x = [1.0] + [0.0] * 12
    assert made.heads.good("L0", x, 0.5) < Learner("on", {}).heads.good("L0", [], 0.5)
    made.vote("local", "r", 1.0)
    assert made.heads.seen("L1") == pytest.approx(4, abs=0.01)


def test_a_vote_counts_once_however_often_it_is_given() -> None:
    made = learner()
    start(made)
    made.outcome(asking("r"), "L0", GOOD)
    for score in (1.0, 0.0, 1.0, 0.3):
        assert made.vote("local", "r", score)
    assert made.counts["votes"] == 1
    assert made.heads.seen("L0") == pytest.approx(4, abs=0.01)
    assert made.vote_of("local", "r") == 0.3


def test_a_vote_that_comes_before_the_answer_is_whole_waits_for_it() -> None:
    made = learner()
    start(made)
    assert made.vote("local", "r", 0.0)
    assert made.state().learned == 0
    made.outcome(asking("r"), "L0", Outcome())
    assert made.counts["votes"] == 1


def test_callers_do_not_reach_each_others_requests_even_with_the_same_id() -> None:
    made = learner()
    start(made)
    made.outcome(asking("r"), "L0", GOOD)
    before = made.state()
    assert made.vote(OTHER.id, "r", 0.0) is False
    made.outcome(asking("r", OTHER), "L0", BAD)
    assert made.state() == before


def test_a_vote_from_a_kept_request_teaches_as_one_in_time_does() -> None:
    in_time, late = learner(), learner()
    for made in (in_time, late):
        start(made, estimate=Looked(features=(0.5,) * 6))
        made.outcome(asking("r"), "L0", Outcome())
    kept = late.kept(asking("r"))
    in_time.vote("local", "r", 0.0)
    late.late_vote(kept, 0.4, before=None)
    late.late_vote(kept, 0.0, before=0.4)
    expected, found = in_time.state().heads["L0"], late.state().heads["L0"]
    assert found.means == pytest.approx(expected.means, abs=0.03)
    assert found.seen == expected.seen


@pytest.mark.parametrize("kept", [None, {}, "x", {"x": [1], "score": 2}, {"x": ["a"], "score": 1, "layer": "L0"}])
def test_a_kept_request_that_cannot_be_read_teaches_nothing(kept: Any) -> None:
    made = learner()
    made.late_vote(kept, 1.0, before=None)
    assert made.state().learned == 0


def test_a_preview_says_what_would_be_chosen_and_leaves_no_trace() -> None:
    made = learner("shadow")
    serve(made, 300)
    before, counts = made.state(), dict(made.counts)
    choices = [made.preview(FACTS, estimate=Looked(), costs=COSTS) for _ in range(100)]
    assert len(set(choices)) == 1
    assert choices[0] is not None
    assert made.state() == before
    assert made.counts == counts
    assert learner("off").preview(FACTS, estimate=Looked(), costs=COSTS) is None


def test_a_request_that_nobody_served_is_not_kept() -> None:
    made = learner()
    assert made.kept(asking("never")) is None
    start(made)
    assert made.kept(asking("r")) is None


def test_a_hundred_thousand_requests_take_no_more_room_than_ten_thousand() -> None:
    made = learner("shadow")
    for number in range(100_000):
        start(made, f"r{number}")
    assert made.vote("local", "r99999", 1.0)
    assert made.vote("local", f"r{100_000 - MOST}", 1.0)
    assert not made.vote("local", f"r{100_000 - MOST - 1}", 1.0)
    assert len(made.state().model_dump_json()) < 64_000


def test_the_largest_state_is_under_64_kilobytes() -> None:
    made = Learner("on", parse_shares("L0=40,L1=30,L2=20,L3=10"))
    layers: tuple[Layer, ...] = ("L0", "L1", "L2", "L3")
    chance = random.Random(1)
    for number in range(3_000):
        estimate = Looked(features=tuple(chance.random() for _ in range(500)))
        allowed = chance.sample(layers, 2) if number % 2 else layers
        priced = chance.random() < 0.5
        costs = {layer: Decimal(index) / 7 if priced else None for index, layer in enumerate(allowed)}
        start(made, f"r{number}", estimate=estimate, costs=costs)
        made.outcome(asking(f"r{number}"), chance.choice(layers), GOOD if chance.random() < 0.5 else BAD)
    assert made.state().size == 128
    assert 20_000 < len(made.state().model_dump_json()) < 64_000


def test_it_goes_on_from_what_was_kept() -> None:
    made = learner()
    serve(made, 1_000)
    again = learner()
    again.restore(made.state())
    served = serve(again, 300, seed=2)
    assert sum((layer == "L1") == hard for layer, hard in served) / len(served) > 0.8
