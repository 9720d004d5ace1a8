"""Rows that cannot be read: noted once, and forgotten once they can be read or have gone."""

import pytest
from pydantic import ValidationError

from shared.domain.budgets import Tag
from shared.storage import readable
from shared.storage.database import Database


def test_fields_that_this_version_does_not_know_are_ignored_and_wrong_ones_are_not() -> None:
    assert readable.known_fields(Tag, {"name": "team", "value": "a", "colour": "red"}) == Tag(name="team", value="a")
    with pytest.raises(ValidationError) as caught:
        readable.known_fields(Tag, {"name": "", "value": "a secret"})
    assert readable.reason_of(caught.value).startswith("name: ")
    assert "a secret" not in readable.reason_of(caught.value)


async def test_what_can_be_read_again_is_no_longer_noted(database: Database) -> None:
    def load(texts: list[str]) -> list[int]:
        return database.run_sync(
            lambda session: readable.readable(session, "models", texts, int, name=str), write=False
        )

    assert load(["1", "two", "3"]) == [1, 3]
    assert database.unreadable.counts == {"models": 1}
    assert database.unreadable.everything() == [("models", "two", "its data has another form (ValueError)")]
    assert load(["1"]) == [1]
    assert database.unreadable.counts == {}
