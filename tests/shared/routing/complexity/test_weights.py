"""The file of weights: its form, its size, and what is refused."""

from importlib import resources

import pytest

from shared.routing.complexity.features import NAMES
from shared.routing.complexity.trees import DEPTH
from shared.routing.complexity.weights import FILE, GRAMS, HARDNESS_FILE, SEEN_BYTES, decode, encode

LARGEST = 200_000
"""Both files together."""


@pytest.fixture(scope="module", params=[FILE, HARDNESS_FILE])
def data(request: pytest.FixtureRequest) -> bytes:
    return resources.files("shared.routing.complexity").joinpath(request.param).read_bytes()


def test_the_shipped_weights_have_their_form_and_are_small(data: bytes) -> None:
    weights = decode(data)
    assert encode(weights) == data
    assert len(data) < LARGEST / 2
    assert weights.trees
    assert all(0 <= feature < len(NAMES) for tree in weights.trees for feature in tree.features)
    assert all(len(tree.leaves) == 1 << DEPTH for tree in weights.trees)
    assert (len(weights.grams), len(weights.seen)) == (GRAMS, SEEN_BYTES)
    assert any(weights.grams)
    assert weights.slope > 0
    assert 0 <= weights.low < weights.high <= 1


def broken(data: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "cut off": data[:-1],
        "too long": data + b"\0",
        "another file": b"PNG" + data[3:],
        "other features": data[:5] + bytes(byte ^ 1 for byte in data[5:6]) + data[6:],
    }


@pytest.mark.parametrize("fault", broken(b""))
def test_what_is_not_a_file_of_weights_is_refused(data: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match="weights"):
        decode(broken(data)[fault])
