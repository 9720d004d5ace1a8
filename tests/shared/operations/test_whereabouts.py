"""The directory of a command, from that of its place."""

import pytest

from shared.operations.whereabouts import Where
from shared.terminal.policy.directories import bases
from shared.terminal.policy.rules import Place
from shared.terminal.policy.words import ANY


@pytest.mark.parametrize(
    ("cwd", "given", "found"),
    [
        ("/a", None, "/a"),
        ("/a", "b/../c", "/a/c"),
        ("/a", "~/b", "/home/me/b"),
        ("/a", "/b", "/b"),
        (None, "b", None),
        ("", None, ""),
        ("", "/b", "/b"),
    ],
)
def test_a_directory_is_taken_from_where_the_session_is(cwd: str | None, given: str | None, found: str | None) -> None:
    assert Where(place=Place(), cwd=cwd, home="/home/me").directory(given, "/home/me") == found


def test_a_directory_has_every_name_that_a_rule_may_use_and_an_unknown_one_any() -> None:
    assert set(bases(["/srv/me/x"], "/srv/me")) == {"/srv/me/x", "~/x"}
    assert bases(["~/x"], "~") == ("~/x",)
    assert bases([ANY], "~") == (ANY,)
