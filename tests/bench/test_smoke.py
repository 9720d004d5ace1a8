"""What a chat costs in calls, tasks, statements and lines stays what it is."""

import sys

import pytest

from bench import smoke


@pytest.fixture(scope="module")
def counted() -> dict[str, float]:
    return smoke.counted()


@pytest.mark.slow
@pytest.mark.parametrize("name", smoke.BOUNDS)
def test_a_chat_costs_no_more_than_it_did(counted: dict[str, float], name: str) -> None:
    bound = smoke.BOUNDS[name] * (1 if sys.version_info >= (3, 12) else 1.15)  # there comprehensions are calls too
    assert counted[name] <= bound, (
        f"A chat now costs {counted[name]:g} {name}, and {smoke.BOUNDS[name]} were allowed. Take the work out of the path "
        "again (make it once, later, or not at all), or raise the bound in bench/smoke.py and say why. "
        "'python bench/smoke.py' shows every count."
    )
