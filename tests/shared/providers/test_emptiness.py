"""What an answer that holds nothing means."""

import pytest

from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamRefused
from shared.providers.emptiness import empty_answer


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        ([], UpstreamBadAnswer),
        (["stop"], UpstreamBadAnswer),
        (["tool_calls"], UpstreamBadAnswer),
        (["content_filter"], UpstreamRefused),
        (["stop", "content_filter"], UpstreamRefused),
    ],
)
def test_nothing_is_a_failure_that_another_model_may_make_good(reasons: list[str], kind: type[UpstreamError]) -> None:
    found = empty_answer("own", reasons, usage={"prompt_tokens": 5}, explanation="Because.")
    assert found is not None
    assert type(found) is kind
    assert found.retryable
    assert found.usage == {"prompt_tokens": 5}
    assert found.message.startswith("own ")
    assert found.details == ("Because." if kind is UpstreamRefused else "")


@pytest.mark.parametrize("reasons", [["length"], ["stop", "length"], ["content_filter", "length"]])
def test_what_its_length_cut_short_is_an_answer(reasons: list[str]) -> None:
    assert empty_answer("own", reasons) is None
