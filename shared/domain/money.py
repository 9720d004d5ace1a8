"""Amounts of money as text."""

from decimal import Decimal


def plain(amount: Decimal) -> str:
    """Dollars in full and without an exponent, with two decimals at least: 0.30, 0.000012."""
    whole, _, decimals = f"{amount:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"
