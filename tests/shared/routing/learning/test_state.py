from typing import Any

import pytest
from pydantic import ValidationError

from shared.routing.learning.state import HeadState, ProofState, State, merged


def state(*, learned: float, mean: float = 0.0, size: int = 2, layer: Any = "L0") -> State:
    head = HeadState(means=[mean] * size, precisions=[10.0 + mean] * size, seen=learned)
    proof = ProofState(lower=[learned, mean, mean, mean, mean, mean], upper=[0.0] * 6)
    return State(size=size, learned=learned, heads={layer: head}, recent={}, proofs={"L0-L1": proof})


def test_alone_what_is_mine_stands() -> None:
    mine = state(learned=5, mean=1)
    assert merged(mine, None, common=0) is mine
    assert merged(mine, state(learned=3, mean=2), common=3) is mine
    assert merged(mine, state(learned=9, mean=2, size=3), common=0) is mine


def test_each_counts_by_how_much_it_has_learned_since() -> None:
    found = merged(state(learned=130, mean=1), state(learned=110, mean=3), common=100)
    assert found.learned == 140
    assert found.heads["L0"].means == [1.5, 1.5]
    assert found.heads["L0"].precisions == [11.5, 11.5]
    assert found.proofs["L0-L1"].lower == [125.0, *[1.5] * 5]


def test_who_learned_nothing_takes_over_the_others() -> None:
    stored = state(learned=150, mean=3)
    assert merged(state(learned=100, mean=1), stored, common=100).heads == stored.heads


def test_layers_that_only_one_knows_are_kept() -> None:
    found = merged(state(learned=10), state(learned=10, mean=1, layer="L1"), common=0)
    assert sorted(found.heads) == ["L0", "L1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 1},
        {"proofs": {"L0-L1": {"lower": [0.0] * 5, "upper": [0.0] * 6}}},
        {"proofs": {"L0-L1": {"lower": [-1.0] * 6, "upper": [0.0] * 6}}},
        {"size": 3},
        {"learned": -1},
        {"learned": float("inf")},
        {"recent": {"L0-L1": [float("nan")]}},
        {"recent": {"L0-L1": [0.0] * 65}},
        {"recent": {str(number): [] for number in range(17)}},
        {"heads": {"L9": {"means": [0, 0], "precisions": [10, 10], "seen": 0}}},
        {"heads": {"L0": {"means": [5, 0], "precisions": [10, 10], "seen": 0}}},
        {"heads": {"L0": {"means": [0, 0], "precisions": [0, 10], "seen": 0}}},
        {"further": 1},
    ],
)
def test_what_is_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        State.model_validate({**state(learned=1).model_dump(), **wrong})
