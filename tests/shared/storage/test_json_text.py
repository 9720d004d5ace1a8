"""JSON in the database: whatever Python's own library takes comes back as it was, from either kind."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.storage import facts, json_text
from shared.storage.database import Database

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_it_reads_back_as_it_was(value: Any) -> None:
    assert json.loads(json_text.dumps(value)) == value


@pytest.mark.parametrize(
    "odd", [2**70, -(2**64), 0.1 + 0.2, 1e300, "\ud800", {"a": (1, 2)}, {3: "three"}, {None: 1}, ["\x00"]]
)
def test_it_reads_back_as_the_standard_library_would_have_it(odd: Any) -> None:
    again = json.loads(json_text.dumps(odd))
    assert again == json.loads(json.dumps(odd))
    assert type(again) is type(json.loads(json.dumps(odd)))


@pytest.mark.parametrize("none", [object(), {1, 2}, b"x"])
def test_what_is_no_json_is_refused(none: Any) -> None:
    with pytest.raises(TypeError):
        json_text.dumps(none)


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "é\u2028"]}, [], "", 0, {"n": 2**70}, None])
async def test_both_databases_give_back_what_they_got(database: Database, value: Any) -> None:
    await database.run(lambda session: facts.write(session, "f", value))
    found = await database.read(lambda session: facts.read(session, "f"))
    assert (found, type(found)) == (value, type(value))


async def test_text_that_no_database_takes_is_refused_in_words(database: Database) -> None:
    with pytest.raises(InvalidInput, match="does not take"):
        await database.run(lambda session: facts.write(session, "\ud800", 1))
