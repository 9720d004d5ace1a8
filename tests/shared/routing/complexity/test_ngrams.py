"""Hashed words and their weights."""

import pytest

from shared.routing.complexity import ngrams

SIZE = 1 << 15


def touched(*words: str) -> set[int]:
    return set(ngrams.rows(words, ngrams.codes(words), SIZE))


def test_the_codes_are_those_that_the_weights_were_trained_with() -> None:
    assert ngrams.codes(["prove", "证明", "\ud800"]) == [4193302655, 4071678834, 499426600]


def test_inflections_share_the_row_of_their_stem() -> None:
    one, other = (touched("x", "y", "z", word) for word in ("implement", "implementing"))
    assert len(one & other) > len(touched("x", "y", "z"))


def test_order_and_beginning_matter() -> None:
    assert touched("prove", "this") != touched("this", "prove")
    assert touched("prove") < touched("prove", "this")


@pytest.mark.parametrize("count", [0, 1, 600])
def test_each_word_touches_few_rows(count: int) -> None:
    words = [f"word{number}" for number in range(count)]
    rows = ngrams.rows(words, ngrams.codes(words), SIZE)
    assert len(rows) == len(set(rows)) <= 3 * count + 2
    assert all(0 <= row < SIZE for row in rows)


def test_the_score_is_the_sum_over_the_root_of_the_number() -> None:
    assert ngrams.score([1, 2, 3, 4], [0, 1, 2, 3]) == 5.0
    assert ngrams.score([1], []) == 0.0


def test_familiarity_is_the_share_of_words_that_were_met() -> None:
    words = ["known", "new", "!", "7"]
    codes = ngrams.codes(words)
    seen = bytearray(1 << 10)
    place = codes[0] & (len(seen) * 8 - 1)
    seen[place >> 3] |= 1 << (place & 7)
    assert ngrams.familiarity(bytes(seen), words, codes) == 0.5
    assert ngrams.familiarity(bytes(seen), ["!"], ngrams.codes(["!"])) == 0.0
