"""Known sentences mean their failure; words that merely look alike mean nothing."""

import pytest

from shared.errors import UpstreamAuthFailed, UpstreamContextTooLong, UpstreamError, UpstreamQuota
from shared.providers.wordings import LONGEST_READ, WORDINGS, meaning


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("This model's MAXIMUM CONTEXT LENGTH is 8192 tokens.", UpstreamContextTooLong),
        ("The input token count (9) exceeds the maximum number of tokens allowed (8).", UpstreamContextTooLong),
        ("Your credit balance is too low to access the Anthropic API.", UpstreamQuota),
        ("API key not valid. Please pass a valid API key.", UpstreamAuthFailed),
        ("Your organization must be verified to stream this model.", UpstreamError),
    ],
)
def test_a_known_sentence_means_its_failure(sentence: str, kind: type[UpstreamError]) -> None:
    assert meaning(sentence) is kind


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "messages: at least one message is required",
        "max_tokens: must be at least 1",
        "The input token count is missing.",
        "tools.0.name: too long",
        "x" * LONGEST_READ + "maximum context length",
    ],
)
def test_another_sentence_means_nothing(sentence: str) -> None:
    assert meaning(sentence) is None


def test_every_row_says_where_it_was_seen_and_is_in_lower_case() -> None:
    assert all(row.seen and row.phrases == tuple(phrase.lower() for phrase in row.phrases) for row in WORDINGS)
