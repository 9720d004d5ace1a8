"""An edit changes one member, and not a character beside it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.installing.jsonc import NotEditable, drop, loads, put

ENTRY = {"command": "/bin/x", "args": ["stdio"]}
PATH = ("servers", "ours")

ZED = """\
// Zed settings
{
\t"theme": "One Dark", // dark
\t/* servers */
\t"servers": {
\t\t"theirs": {"command": "y"}, // keep me
\t},
\t"vim_mode": true,
}
"""


def test_comments_tabs_and_trailing_commas_stay() -> None:
    edited = put(ZED, PATH, ENTRY)
    added = '\t\t"ours": {\n\t\t\t"command": "/bin/x",\n\t\t\t"args": [\n\t\t\t\t"stdio"\n\t\t\t]\n\t\t},\n'
    assert edited == ZED.replace("// keep me\n", "// keep me\n" + added)
    assert drop(edited, PATH) == ZED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        " \n",
        "{\n}\n",
        '{"servers": {}}',
        '{"a": 1, "servers": {"theirs": {"command": "y"}}}',
        '{\n    "servers": {\n        "theirs": {}\n    }\n}',
        '{\n  "servers": {"theirs": {}}\n}\n',
        '{\n  "servers": {\n  }\n}\n',
        '{\n  "servers": {\n    // none yet\n  }\n}\n',
        '{\n  "a": 1 // one\n}\n',
        '{\n  "a": 1, // one\n}\n',
        '{\n  "a": "// no comment, {"\n}\n',
        '{\r\n  "a": 1\r\n}\r\n',
        "{ // only a comment\n}",
        '{"a": 1 /* one */}',
        '// head\n{"a": 1}',
        '\ufeff{\n  "a": 1\n}\n',
        '{\n  "servers": {\n    "ours": {"old": true}, // mine\n    "theirs": {}\n  }\n}\n',
    ],
)
def test_whatever_the_form_the_rest_stays(text: str) -> None:
    before = loads(text)
    edited = put(text, PATH, ENTRY)
    after = loads(edited)
    assert after["servers"]["ours"] == ENTRY
    for comment in ("// one", "/* one */", "// only a comment", "// head", "// none yet", "// mine"):
        assert (comment in text) == (comment in edited)
    assert ("\r\n" in text) == ("\r\n" in edited)
    assert put(edited, PATH, ENTRY) == edited
    taken = loads(drop(edited, PATH))
    before.setdefault("servers", {}).pop("ours", None)
    assert taken == before


def test_indentation_is_the_files_own() -> None:
    text = '{\n    "servers": {\n        "theirs": {}\n    }\n}'
    assert '\n        "ours": {\n            "command"' in put(text, PATH, ENTRY)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"a" 1}', '{"a": 1} x', '{"a": nothing}', '{"servers": []}', '"text"', '{"a": }', "{'a': 1}"]
)
def test_what_is_no_object_of_objects_is_refused(text: str) -> None:
    with pytest.raises(NotEditable):
        put(text, PATH, ENTRY)


def test_a_name_that_is_not_there_changes_nothing() -> None:
    assert drop(ZED, ("servers", "other")) == ZED
    assert drop("", PATH) == ""


def test_of_two_of_the_same_name_none_is_left() -> None:
    assert loads(drop('{"servers": {"ours": 1, "ours": 2, "b": 3}}', PATH)) == {"servers": {"b": 3}}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    content=st.dictionaries(st.text(max_size=5), VALUES, max_size=4),
    servers=st.dictionaries(st.text(max_size=5), VALUES, max_size=3),
    indent=st.sampled_from([None, 1, 2, 4, "\t"]),
    ascii_only=st.booleans(),
)
def test_any_json_can_be_edited_and_restored(
    content: dict[str, Any], servers: dict[str, Any], indent: Any, ascii_only: bool
) -> None:
    servers.pop("ours", None)
    content["servers"] = servers
    text = json.dumps(content, indent=indent, ensure_ascii=ascii_only)
    edited = put(text, PATH, ENTRY)
    assert json.loads(edited) == {**content, "servers": {**servers, "ours": ENTRY}}
    assert json.loads(drop(edited, PATH)) == content
