"""What an answer that holds nothing, or nothing that can be read, means. Pure."""

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


def not_json(provider: str, body: bytes, error: Exception) -> UpstreamError:
    """The failure of a whole answer that is no JSON. One that began as JSON was an answer, and may be billed."""
    return UpstreamBadAnswer(
        f"{provider} sent an answer that is not JSON.",
        operator_detail=str(error),
        begun=body.lstrip().startswith(b"{"),
    )
