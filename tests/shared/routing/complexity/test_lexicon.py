"""The groups of words."""

from shared.routing.complexity.lexicon import GROUPS, index
from shared.routing.complexity.reading import read


def test_every_word_is_one_that_a_text_can_be_read_as() -> None:
    unread = [word for word in index() if word not in read(word).words]
    assert unread == []


def test_a_word_counts_for_the_last_group_that_has_it() -> None:
    groups = list(GROUPS)
    assert index()["proof"] == groups.index("asks_proof")
    assert index()["if"] == groups.index("conditions")
