"""An edit of a TOML file changes one table or key, and not a character beside it."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.installing.jsonc import NotEditable
from mcp_gateway.installing.tables import drop, loads, put

PATH = ("servers", "ours.x")
ENTRY = {"command": "/bin/x", "args": ["stdio", 'a "b"'], "env": {"A.B": "1"}, "on": True}

CODEX = """\
# mine
model = "gpt-6" # the best

[servers.theirs]
command = "y" # keep me

# about the next table
[[lists]]
x = 1
"""


def test_a_table_goes_to_the_end_and_out_again() -> None:
    edited = put(CODEX, PATH, ENTRY)
    assert edited.startswith(CODEX)
    assert tomllib.loads(edited)["servers"]["ours.x"] == ENTRY
    assert put(edited, PATH, ENTRY) == edited
    assert drop(edited, PATH) == CODEX


def test_a_top_level_key_is_set_before_the_tables() -> None:
    edited = put(CODEX, ("provider",), "ours")
    assert edited == 'provider = "ours"\n' + CODEX
    assert drop(edited, ("provider",)) == CODEX
    assert loads(put(edited, ("provider",), "other"))["provider"] == "other"


def test_a_table_of_ours_is_replaced_with_its_inner_tables() -> None:
    text = '[servers."ours.x"]\ncommand = "old"\n[servers."ours.x".env]\nA = "1"\n\n# theirs\n[other]\n'
    edited = put(text, PATH, ENTRY)
    assert loads(edited) == {"servers": {"ours.x": ENTRY}, "other": {}}
    assert "# theirs\n[other]\n" in edited
    assert drop(text, PATH) == "\n# theirs\n[other]\n"


def test_line_ends_stay() -> None:
    edited = put("a = 1\r\n", PATH, {"command": "x"})
    assert edited.count("\r\n") == edited.count("\n")
    assert drop(edited, PATH) == "a = 1\r\n"


@pytest.mark.parametrize("text", ["servers = { a = 1 }\n", "[servers\n", "servers = 1\n"])
def test_what_cannot_be_edited_safely_is_refused(text: str) -> None:
    with pytest.raises(NotEditable):
        put(text, PATH, ENTRY)


def test_text_that_looks_like_a_table_is_not_cut() -> None:
    text = 'note = """\n[servers."ours.x"]\n"""\n'
    edited = put(text, ("servers", "b"), {"c": 1})
    assert drop(edited, ("servers", "b")) == text
    with pytest.raises(NotEditable):
        put(text, PATH, ENTRY)


@given(
    st.dictionaries(st.text(min_size=1), st.one_of(st.text(), st.booleans(), st.integers(-9, 9), st.lists(st.text())))
)
def test_any_table_comes_back_as_it_went_in(value: dict[str, Any]) -> None:
    try:
        edited = put(CODEX, PATH, value)
    except NotEditable:
        return
    assert drop(edited, PATH) == CODEX
    assert value == {} or loads(edited)["servers"]["ours.x"] == value
