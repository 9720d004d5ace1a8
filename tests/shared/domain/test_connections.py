"""Saved connections, as callers write them."""

from typing import Any

import pytest

from shared.domain.connections import CreateConnection, UpdateConnection
from shared.errors import InvalidInput
from shared.operations.dispatch import parse


@pytest.mark.parametrize(
    ("kind", "payload", "field"),
    [
        (CreateConnection, {"name": "n"}, "type"),
        (CreateConnection, {"type": "local"}, "name"),
        (CreateConnection, {"name": "a\nb", "type": "local"}, "name"),
        (CreateConnection, {"name": "n", "type": "telnet", "host": "h", "privateKey": "k"}, "privateKey"),
        (UpdateConnection, {"id": "c", "type": "local"}, "type"),
        (UpdateConnection, {"id": "c", "port": 0}, "port"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(kind: Any, payload: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(kind, payload)
    assert isinstance(refused.value.details, dict)
    assert refused.value.details["fields"][0]["field"] == field


def test_a_change_may_be_of_any_part() -> None:
    assert parse(UpdateConnection, {"id": "c", "host": "h"}).model_fields_set == {"id", "host"}
    assert parse(UpdateConnection, {"id": "c", "password": None}).model_fields_set == {"id", "password"}
