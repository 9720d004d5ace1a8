"""Ids for rows that are queued, by which the database tells a row that it has from a new one."""

import itertools
import secrets
from collections.abc import Iterator

BITS = 62
"""Of a database's whole number of 64 bits; the rest is room for counting on."""


def row_ids() -> Iterator[int]:
    """Numbers that no other queue and no other process gives: counted on from a random one."""
    return itertools.count(secrets.randbits(BITS))
