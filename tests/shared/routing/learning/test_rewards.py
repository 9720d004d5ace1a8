from typing import Any

import pytest

from shared import errors
from shared.errors import UpstreamError
from shared.routing.learning.rewards import SILENT, Lesson, Outcome, lesson

ABILITY = {"content_refused", "provider_bad_answer"}


@pytest.mark.parametrize(
    ("facts", "taught"),
    [
        ({}, Lesson(1.0, SILENT)),
        ({"kept_form": True}, Lesson(1.0)),
        ({"shortcoming": "truncated"}, Lesson(0.3)),
        ({"shortcoming": "invalid_schema"}, Lesson(0.0)),
        ({"shortcoming": "empty", "agreed": True}, Lesson(0.0)),
        ({"shortcoming": "refused"}, Lesson(0.0)),
        ({"escalated": True}, Lesson(0.0)),
        ({"agreed": True}, Lesson(1.0)),
        ({"agreed": False}, Lesson(0.0)),
        ({"verdict": "confirmed"}, Lesson(1.0)),
        ({"verdict": "corrected", "agreed": True}, Lesson(0.0)),
        ({"verdict": "unclear"}, Lesson(1.0, SILENT)),
        ({"verdict": "not_checked"}, Lesson(1.0, SILENT)),
        ({"ended": "provider_timeout", "committed": True}, Lesson(0.0)),
        ({"ended": "provider_timeout"}, None),
        ({"ended": "cancelled", "committed": True}, None),
        ({"ended": "request_timeout", "committed": True}, None),
    ],
)
def test_an_outcome_teaches(facts: dict[str, Any], taught: Lesson | None) -> None:
    assert lesson(Outcome(**facts)) == taught


def upstream_codes() -> list[str]:
    found = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, UpstreamError))
    return sorted({kind.code for kind in found} - ABILITY)


@pytest.mark.parametrize("code", upstream_codes())
def test_faults_of_the_way_to_a_model_say_nothing_of_what_it_can_do(code: str) -> None:
    assert lesson(Outcome(ended=code)) is None


@pytest.mark.parametrize("code", sorted(ABILITY))
def test_an_answer_that_is_none_is_a_bad_one(code: str) -> None:
    assert lesson(Outcome(ended=code)) == Lesson(0.0)
