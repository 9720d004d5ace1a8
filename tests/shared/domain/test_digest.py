"""The digest of what comes in pieces."""

import hashlib

import pytest

from shared.domain.digest import TOGETHER, RunningDigest


@pytest.mark.parametrize("count", [1, TOGETHER - 1, TOGETHER, TOGETHER + 1, 3 * TOGETHER])
def test_the_digest_is_that_of_all_pieces(count: int) -> None:
    pieces = [b"%d," % number for number in range(count)]
    digest = RunningDigest()
    for piece in pieces:
        digest.add(piece)
    assert digest.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_of_nothing_there_is_none() -> None:
    assert RunningDigest().hexdigest() == ""
