"""How long a provider asks to be left alone. Pure."""

import email.utils
import time
from collections.abc import Mapping

LONGEST = 86_400.0


def seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        wait = float(value)
    except ValueError:
        moment = email.utils.parsedate_tz(value)
        if moment is None:
            return None
        wait = email.utils.mktime_tz(moment) - time.time()
    return min(max(wait, 0.0), LONGEST) if wait == wait else None
