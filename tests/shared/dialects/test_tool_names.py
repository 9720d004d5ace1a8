"""Names and ids of tools that another dialect does not take."""

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.dialects.tool_names import LONGEST_NAME, long_names, original_id, plain_id, short_name


def test_a_long_name_is_shortened_and_found_again() -> None:
    long = "mcp__a_server_with_a_long_name__" + "x" * 60
    assert len(short_name(long)) == LONGEST_NAME
    assert long_names(["Bash", long]) == {short_name(long): long}
    assert short_name("Bash") == "Bash"


def test_two_long_names_that_begin_alike_stay_apart() -> None:
    assert short_name("x" * 100 + "a") != short_name("x" * 100 + "b")


def test_a_plain_id_stays_as_it_is() -> None:
    assert plain_id("toolu_01A-b") == "toolu_01A-b"
    assert original_id("toolu_01A-b") == "toolu_01A-b"


@given(st.text(min_size=1, max_size=60))
def test_every_id_comes_back_and_has_only_allowed_characters(identity: str) -> None:
    plain = plain_id(identity)
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", plain)
    assert original_id(plain) == identity or identity.startswith("toolu_gw_")
