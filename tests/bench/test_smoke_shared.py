"""What a chat costs in Redis and PostgreSQL stays what it is."""

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.mark.slow
def test_a_chat_costs_no_more_round_trips_and_statements_than_it_did(script: Callable[[str], ModuleType]) -> None:
    smoke = script("smoke_shared")
    counted = smoke.counted()
    assert counted.keys() == smoke.BOUNDS.keys()
    over = {name: value for name, value in counted.items() if value > smoke.BOUNDS[name]}
    assert over == {}, "take them out of the path again, or raise the bound in bench/smoke_shared.py and say why"
