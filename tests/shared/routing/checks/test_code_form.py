"""When two blocks of code are the same."""

import pytest

from shared.routing.checks.code_form import same_code, tree_of

SUM = "def f(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total"


@pytest.mark.parametrize(
    "other",
    [
        SUM.replace("total", "s").replace("for x", "for item").replace("+= x", "+= item"),
        SUM.replace("    total = 0", '    """Add."""\n    total = 0  # nothing yet'),
        SUM.replace("(xs)", "(xs: list[int]) -> int"),
        SUM.replace("\n    return", "\n\n    return"),
    ],
)
def test_layout_comments_annotations_and_local_names_make_no_difference(other: str) -> None:
    assert same_code([("python", SUM)], [("python", other)])


@pytest.mark.parametrize(
    "other",
    [
        SUM.replace("total += x", "total -= x"),
        SUM.replace("in xs", "in xs[1:]"),
        SUM.replace("def f", "def g"),
        SUM.replace("return total", "return x"),
        "def f(xs):\n    return sum(xs)",
        "def f(xs:",
    ],
)
def test_other_code_is_other_code(other: str) -> None:
    assert not same_code([("python", SUM)], [("python", other)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(a, b):\n    return a - b", "def f(b, a):\n    return a - b"),
        ("def f():\n    global n\n    n = 1", "def f():\n    global m\n    m = 1"),
        ("class A:\n    size = 1", "class A:\n    length = 1"),
        ("import a\ndef f():\n    b = a.x\n    return b", "import b\ndef f():\n    a = b.x\n    return b"),
    ],
)
def test_names_that_others_see_make_a_difference(one: str, other: str) -> None:
    assert tree_of(one) != tree_of(other)


def test_other_languages_are_compared_by_their_lines() -> None:
    assert same_code([("js", "// add\nf(1);\n\ng();")], [("js", "f(1);  \ng();")])
    assert not same_code([("js", "f(1);")], [("js", "f(2);")])
    assert not same_code([("js", "f(1);")], [("c", "f(1);")])
    assert same_code([("json", '{"a": 1, "b": 2}')], [("", '{"b": 2,\n "a": 1}')])


@pytest.mark.parametrize("code", ["[" * 5_000, "x = " + "-" * 19_000 + "1", "'\\d'", "x\0", "1" * 21_000])
def test_code_that_is_hard_to_parse_does_no_harm(code: str) -> None:
    tree_of(code)
