"""Words and pairs of words, hashed to rows of a fixed table of small weights."""

from collections.abc import Sequence
from math import sqrt
from zlib import crc32

STEM = 5
"""Characters kept of a longer word, so that its inflections share a weight."""

_PAIR = 0x9E3779B1
_FIRST = 0x85EBCA6B
_STEM_SEED = 1


def codes(words: Sequence[str]) -> list[int]:
    """A 32-bit number for each word: the same on every machine and in every process, unlike `hash`."""
    return [crc32(word.encode("utf-8", "surrogatepass")) for word in words]


def rows(words: Sequence[str], numbers: Sequence[int], size: int) -> list[int]:
    """The table rows that a text touches, each once: words, stems, neighbours, and how it begins.

    `numbers` are the codes of the words, `size` is a power of two.
    """
    mask = size - 1
    found: dict[int, None] = {}
    before = 0
    for word, code in zip(words, numbers, strict=True):
        found[code & mask] = None
        if len(word) > STEM:
            found[crc32(word[:STEM].encode("utf-8", "surrogatepass"), _STEM_SEED) & mask] = None
        if before:
            found[(before * _PAIR + code >> 7) & mask] = None
        before = code
    for place, code in enumerate(numbers[:2], 1):
        found[code * _FIRST * place >> 9 & mask] = None
    return list(found)


def score(weights: Sequence[int], touched: Sequence[int]) -> float:
    """The sum of the weights of the touched rows, over the square root of their number."""
    return sum([weights[row] for row in touched]) / sqrt(max(1, len(touched)))


def familiarity(seen: bytes, words: Sequence[str], numbers: Sequence[int]) -> float:
    """The share of the words (marks and figures aside) that training has met; 0 without words.

    `seen` holds a bit for each code, modulo its size.
    """
    mask = len(seen) * 8 - 1
    met = [
        seen[(code & mask) >> 3] >> (code & 7) & 1
        for word, code in zip(words, numbers, strict=True)
        if word[0].isalpha()
    ]
    return sum(met) / max(1, len(met))
