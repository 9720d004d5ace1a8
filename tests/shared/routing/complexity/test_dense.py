"""The dense features."""

from shared.routing.complexity.dense import DENSE, dense
from shared.routing.complexity.features import NAMES


def test_the_score_leads_and_everything_is_capped_at_one() -> None:
    assert dense(0.25, 0.5, [1e9] * len(NAMES)) == (0.25, 0.5, *[1.0] * (len(DENSE) - 2))
    assert dense(0.25, 0.5, [0.0] * len(NAMES)) == (0.25, 0.5, *[0.0] * (len(DENSE) - 2))
    assert len(set(DENSE)) == len(DENSE)
