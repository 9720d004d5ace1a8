"""Small boosted trees: each asks a few questions, whose answers are the bits of the leaf's number."""

from collections.abc import Sequence
from dataclasses import dataclass

DEPTH = 4


@dataclass(frozen=True, slots=True)
class Tree:
    """Questions `value of features[i] > thresholds[i]`, the first being the lowest bit, and 2 ** DEPTH leaves."""

    features: tuple[int, ...]
    thresholds: tuple[float, ...]
    leaves: tuple[int, ...]


def score(trees: Sequence[Tree], values: Sequence[float]) -> int:
    """The sum of the leaves that the values fall into."""
    total = 0
    for tree in trees:
        leaf = 0
        bit = 1
        for feature, threshold in zip(tree.features, tree.thresholds, strict=True):
            if values[feature] > threshold:
                leaf |= bit
            bit += bit
        total += tree.leaves[leaf]
    return total
