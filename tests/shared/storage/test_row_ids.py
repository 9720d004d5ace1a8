"""Ids of queued rows."""

from itertools import islice

from shared.storage.row_ids import row_ids


def test_ids_fit_into_64_bits_and_no_two_queues_give_the_same() -> None:
    given = [number for _ in range(50) for number in islice(row_ids(), 100)]
    assert len(set(given)) == len(given)
    assert 0 <= min(given) <= max(given) < 2**63
