from decimal import Decimal

from mcp_gateway.commands.bars import bars


def drawn(*amounts: str, width: int = 4) -> list[str]:
    return bars([Decimal(amount) for amount in amounts], width)


def test_the_longest_fills_the_width_and_the_others_are_in_proportion() -> None:
    assert drawn("8", "4", "1", "3.5", "0") == ["████", "██", "▌", "█▊", ""]


def test_whatever_is_more_than_nothing_is_seen() -> None:
    assert drawn("1000", "0.000001") == ["████", "▏"]


def test_of_nothing_there_is_nothing_to_draw() -> None:
    assert drawn() == []
    assert drawn("0", "0") == ["", ""]
