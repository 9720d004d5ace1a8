from typing import Any

import pytest

from shared import errors
from shared.errors import UpstreamError
from shared.routing.learning.rewards import Lesson, Outcome, lesson


@pytest.mark.parametrize(
    ("facts", "taught"),
    [
        ({}, None),
        ({"kept_form": True}, Lesson(1.0)),
        ({"shortcoming": "truncated"}, None),
        ({"shortcoming": "invalid_schema"}, Lesson(0.0)),
        ({"shortcoming": "empty", "agreed": True}, Lesson(0.0)),
        ({"shortcoming": "refused"}, None),
        ({"shortcoming": "empty"}, None),
        ({"shortcoming": "empty", "verdict": "confirmed"}, Lesson(0.0)),
        ({"escalated": True}, Lesson(0.0)),
        ({"escalated": True, "shortcoming": "invalid_json"}, Lesson(0.0)),
        ({"escalated": True, "shortcoming": "truncated"}, None),
        ({"agreed": True}, Lesson(1.0)),
        ({"agreed": False}, Lesson(0.0)),
        ({"verdict": "confirmed"}, Lesson(1.0)),
        ({"verdict": "corrected", "agreed": True}, Lesson(0.0)),
        ({"verdict": "unclear"}, None),
        ({"verdict": "not_checked"}, None),
    ],
)
def test_an_outcome_teaches_where_the_opposite_would_have_been_known(
    facts: dict[str, Any], taught: Lesson | None
) -> None:
    assert lesson(Outcome(**facts)) == taught


def codes() -> list[str]:
    found = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, UpstreamError))
    return sorted({kind.code for kind in found} | {"cancelled", "request_timeout"})


@pytest.mark.parametrize("code", codes())
def test_an_error_teaches_nothing_since_its_counterpart_is_silence(code: str) -> None:
    assert lesson(Outcome(ended=code)) is None
