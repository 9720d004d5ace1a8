"""What an answer that holds nothing means. Pure."""

from collections.abc import Collection
from typing import Any

from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamRefused

TRUNCATED = "length"
FILTERED = "content_filter"


def empty_answer(
    provider: str, finish_reasons: Collection[str], *, usage: Any = None, explanation: str = ""
) -> UpstreamError | None:
    """The failure that an answer without any content is: none where its length cut it short, a refusal where a filter
    took it, else no answer at all. `finish_reasons` and `usage` are in OpenAI's form.
    """
    used = usage if isinstance(usage, dict) else None
    if TRUNCATED in finish_reasons:
        return None
    if FILTERED in finish_reasons:
        return UpstreamRefused(
            f"{provider} refused to answer this; ask in another way, or use another provider's model.",
            details=explanation,
            usage=used,
        )
    return UpstreamBadAnswer(f"{provider} sent an empty answer.", usage=used)
