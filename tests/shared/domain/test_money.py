from decimal import Decimal

import pytest

from shared.domain.money import plain


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("3", "3.00"),
        ("0.3", "0.30"),
        ("12.3400", "12.34"),
        ("0.000000000001", "0.000000000001"),
        ("1E-7", "0.0000001"),
        ("1E+3", "1000.00"),
        ("-2.5", "-2.50"),
    ],
)
def test_amounts_are_exact_and_without_an_exponent(amount: str, text: str) -> None:
    assert plain(Decimal(amount)) == text
