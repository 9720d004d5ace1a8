"""What the command line prints of words that others chose."""

import json

import pytest

from mcp_gateway.commands.failures import fail
from mcp_gateway.commands.output import print_json, print_table, spoken

HOSTILE = "".join(map(chr, (*range(9), *range(0x0B, 0x20), *range(0x7F, 0xA0)))) + (
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u00ad\u200b\u2060\ufeff\u180e\ufff9"
)

CODES = "".join(f"\\u{ord(sign):04x}" for sign in HOSTILE)


def test_a_models_words_keep_their_words_tabs_and_lines() -> None:
    assert spoken(f"a{HOSTILE}b\tc\nd é 人 👩\u200d🚀") == "ab\tc\nd é 人 👩\u200d🚀"


def test_tables_and_errors_show_none_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [[f"key{HOSTILE}one"]])
    with pytest.raises(SystemExit):
        fail(f"no key{HOSTILE}two", f"more{HOSTILE}")
    shown = "".join(capsys.readouterr())
    assert f"key{CODES}one" in shown  # as codes, since "keyone" may be another name
    assert f"key{CODES}two" in shown
    assert not set(HOSTILE) & set(shown)


def test_json_says_the_same_in_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": f"{HOSTILE}\U000e0041"})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"name": f"{HOSTILE}\U000e0041"}
    assert not {*HOSTILE, "\U000e0041"} & set(shown)
