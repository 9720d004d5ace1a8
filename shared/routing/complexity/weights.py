"""The trained weights as a file: what it holds, and its exact form."""

import struct
from array import array
from dataclasses import dataclass
from zlib import crc32

from shared.routing.complexity.features import NAMES
from shared.routing.complexity.trees import DEPTH, Tree

FILE = "weights.bin"
HARDNESS_FILE = "weights.hardness.bin"
MAGIC = b"MCPX\x01"

GRAMS = 1 << 15
SEEN_BYTES = 1 << 14
"""Rows of the n-gram table (one signed byte each), and the size of the set of words that training has met."""

_HEAD = struct.Struct("<5sIH7d")
_TREE = struct.Struct(f"<{DEPTH}B{DEPTH}f{1 << DEPTH}h")


@dataclass(frozen=True, slots=True)
class Weights:
    """Log odds = slope * (base + leaf_unit * leaves + gram_unit * grams) + shift; `low` and `high` bound the unsure scores."""

    base: float
    leaf_unit: float
    gram_unit: float
    slope: float
    shift: float
    low: float
    high: float
    trees: tuple[Tree, ...]
    grams: "array[int]"
    seen: bytes


def encode(weights: Weights) -> bytes:
    """The bytes of the file: a head, the trees, the n-gram table, the words met. Little-endian."""
    head = _HEAD.pack(
        MAGIC, _fingerprint(), len(weights.trees),
        weights.base, weights.leaf_unit, weights.gram_unit, weights.slope, weights.shift, weights.low, weights.high,
    )  # fmt: skip
    trees = b"".join(_TREE.pack(*tree.features, *tree.thresholds, *tree.leaves) for tree in weights.trees)
    return head + trees + weights.grams.tobytes() + weights.seen


def decode(data: bytes) -> Weights:
    """The weights of a file. Raises ValueError when it is not of this form, or was trained for other features."""
    if len(data) < _HEAD.size:
        raise ValueError("the weights file is too short")
    magic, fingerprint, count, base, leaf_unit, gram_unit, slope, shift, low, high = _HEAD.unpack_from(data)
    grams_at = _HEAD.size + count * _TREE.size
    if magic != MAGIC or len(data) != grams_at + GRAMS + SEEN_BYTES:
        raise ValueError("the weights file does not have the expected form")
    if fingerprint != _fingerprint():
        raise ValueError("the weights were trained for other features; run `make train-router`")
    trees = tuple(_tree(fields) for fields in _TREE.iter_unpack(data[_HEAD.size : grams_at]))
    seen_at = grams_at + GRAMS
    grams = array("b", data[grams_at:seen_at])
    return Weights(base, leaf_unit, gram_unit, slope, shift, low, high, trees, grams, data[seen_at:])


def _tree(fields: tuple[float, ...]) -> Tree:
    features = tuple(int(field) for field in fields[:DEPTH])
    leaves = tuple(int(field) for field in fields[2 * DEPTH :])
    return Tree(features, fields[DEPTH : 2 * DEPTH], leaves)


def _fingerprint() -> int:
    return crc32(" ".join(NAMES).encode())
