"""What callers are told of a rendered screen besides its rows."""

from pydantic import Field

from shared.domain.wire import Wire


class ScreenInfo(Wire):
    """What belongs to a rendered screen besides its text. Rows and columns count from 0."""

    cols: int
    rows: int
    cursor_row: int
    cursor_col: int
    cursor_visible: bool
    title: str
    bells: int = Field(description="How often it rang since the session began.")
    alternate: bool = Field(description="Whether a full-screen program shows its own screen.")


class ScreenSpan(Wire):
    """Text of a screen that is not plain. Rows, and characters of a row, count from 0."""

    row: int
    start: int
    end: int = Field(description="One past its last character.")
    text: str
    highlight: bool = Field(
        False,
        exclude_if=lambda value: not value,
        description="It stands on another background than most text of the screen, as the selected item of a menu does.",
    )
    reverse: bool = Field(False, exclude_if=lambda value: not value)
    bold: bool = Field(False, exclude_if=lambda value: not value)
    underline: bool = Field(False, exclude_if=lambda value: not value)
    color: str = Field(
        "default",
        exclude_if=lambda value: value == "default",
        description="A name ('red', 'brightred') or six hexadecimal digits, as is 'background'.",
    )
    background: str = Field("default", exclude_if=lambda value: value == "default")
