"""Trees."""

from shared.routing.complexity.trees import Tree, score


def test_the_answers_are_the_bits_of_the_leaf() -> None:
    tree = Tree((0, 1, 2, 3), (0.5, 0.5, 0.5, 0.5), tuple(range(16)))
    assert score([tree], [1, 0, 0, 0]) == 1
    assert score([tree], [0, 1, 0, 1]) == 10
    assert score([tree], [0.5, 0.5, 0.5, 0.5]) == 0
    assert score([tree, tree], [1, 1, 1, 1]) == 30
    assert score([], []) == 0
