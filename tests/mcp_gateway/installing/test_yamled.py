"""An edit of a YAML file changes one member, and not a character beside it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.installing.jsonc import NotEditable
from mcp_gateway.installing.yamled import drop, drop_empty, loads, put

PATH = ("extensions", "ours")
ENTRY = {"cmd": "/bin/x", "args": ["stdio", "a: b # c"], "envs": {}, "on": True}
ITEM = {"model_id": "ours/auto", "vision": True}

GOOSE = """\
# mine
MODE: auto # always
extensions:
    # theirs
    memory:
        enabled: true # keep me

    # the last one
    web: {enabled: false}
# text
note: |
  two

  lines

"""


def test_a_member_goes_beside_the_others_and_out_again() -> None:
    edited = put(GOOSE, PATH, ENTRY)
    assert [line for line in GOOSE.splitlines() if line not in edited.splitlines()] == []
    assert "\n    ours:\n      cmd: /bin/x\n" in edited
    assert put(edited, PATH, ENTRY) == edited
    assert drop(edited, PATH) == GOOSE


@pytest.mark.parametrize(
    "text", ["", "# mine\n", "a: 1", "a: 1\r\nb: 2\r\n", "extensions: {}\n", "extensions:\nb: 2\n"]
)
def test_mappings_on_the_way_are_made(text: str) -> None:
    edited = put(text, PATH, ENTRY)
    assert loads(edited)["extensions"]["ours"] == ENTRY
    assert "\r" not in text or edited.count("\r\n") == edited.count("\n")
    left = drop_empty(drop(edited, PATH), PATH[:1])
    assert loads(left) == {key: value for key, value in loads(text).items() if key != "extensions"}


def test_an_item_of_a_list_is_known_by_its_name() -> None:
    text = "# mine\n- model_id: theirs # keep\n  x: 1\n"
    edited = put(text, ("ours/auto",), ITEM)
    assert edited == text + "- model_id: ours/auto\n  vision: true\n"
    assert loads(put(edited, ("ours/auto",), {**ITEM, "vision": False}))[1]["vision"] is False
    assert drop(edited, ("ours/auto",)) == text
    assert loads(drop(put("", ("ours/auto",), ITEM), ("ours/auto",))) == []
    assert loads(put("# mine\n[]\n", ("ours/auto",), ITEM)) == [ITEM]


def test_a_value_of_ours_is_replaced() -> None:
    edited = put("a: 1\nextensions:\n  ours:\n    cmd: old\n  b: 2\nc: 3\n", PATH, ENTRY)
    assert loads(edited) == {"a": 1, "extensions": {"b": 2, "ours": ENTRY}, "c": 3}


@pytest.mark.parametrize(
    "text", ["extensions: {a: 1}\n", "extensions: text\n", "a: 1\n---\nb: 2\n", "[1, 2]\n", "{a: 1}\n", "a: [\n"]
)
def test_what_cannot_be_edited_safely_is_refused(text: str) -> None:
    with pytest.raises(NotEditable):
        put(text, PATH, ENTRY)


@given(
    st.recursive(st.text() | st.booleans() | st.integers(), lambda inner: st.dictionaries(st.text(), inner, max_size=3))
)
def test_any_value_comes_back_as_it_went_in(value: Any) -> None:
    try:
        edited = put(GOOSE, PATH, value)
    except NotEditable:
        return
    assert loads(edited)["extensions"]["ours"] == value
    assert drop(edited, PATH) == GOOSE
