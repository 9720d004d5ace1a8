"""Tags on a command line."""

import pytest

from mcp_gateway.commands.tags import tag_of
from shared.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("team=a", "team", "a"),
        ("team:a", "team", "a"),
        ("team=a=b", "team", "a=b"),
        ("team:a=b", "team", "a=b"),
        ("site=http://x", "site", "http://x"),
        ("team= ", "team", " "),
    ],
)
def test_the_first_sign_parts_name_and_value(text: str, name: str, value: str) -> None:
    assert tag_of(text) == (name, value)


@pytest.mark.parametrize("text", ["", "team", "team=", "team:", "=a", ":a", "="])
def test_without_a_name_or_a_value_it_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="NAME=VALUE or NAME:VALUE"):
        tag_of(text)
