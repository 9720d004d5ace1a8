"""Amounts as bars of block characters, to an eighth of a character."""

from collections.abc import Sequence
from decimal import Decimal

EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
WHOLE = "█"


def bars(amounts: Sequence[Decimal], width: int) -> list[str]:
    """One bar each, the longest of that width; whatever is more than nothing is seen."""
    most = max(amounts, default=Decimal(0))
    if most <= 0:
        return ["" for _ in amounts]
    return [_bar(max(int(amount / most * width * 8), int(amount > 0))) for amount in amounts]


def _bar(eighths: int) -> str:
    return WHOLE * (eighths // 8) + EIGHTHS[eighths % 8]
