"""The cells of a screen."""

from pyte.screens import Char

from shared.terminal.cells import Buffer, empty, fit, text_of


def filled(*rows: str) -> Buffer:
    buffer = empty()
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            buffer[y][x] = Char(character if character != "_" else "")
    return buffer


def texts(buffer: Buffer, lines: int, columns: int = 10) -> list[str]:
    return [text_of(buffer[y], columns) if y in buffer else "" for y in range(lines)]


def test_text_ends_with_its_last_character() -> None:
    assert texts(filled("ab  ", "", " c"), 3) == ["ab", "", " c"]


def test_halves_of_wide_characters_are_blank() -> None:
    assert texts(filled("漢_x", "漢x", "_x", "x漢", "漢_漢_"), 5) == ["漢x", " x", " x", "x", "漢漢"]


def test_rows_below_are_cut_first_and_the_row_stays() -> None:
    buffer = filled("a", "b", "c", "d")
    assert fit(buffer, 1, 2, 10) == 0
    assert texts(buffer, 2) == ["a", "b"]
    buffer = filled("a", "b", "c", "d")
    assert fit(buffer, 3, 2, 10) == 2
    assert texts(buffer, 2) == ["c", "d"]


def test_columns_beyond_the_size_are_cut() -> None:
    buffer = filled("abcdef", "ab漢_")
    assert fit(buffer, 0, 2, 3) == 0
    assert texts(buffer, 2, 3) == ["abc", "ab"]
    assert max(map(max, buffer.values())) == 2
