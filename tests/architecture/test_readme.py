"""The README's generated parts are those of the code."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_tables", ROOT / "scripts" / "readme_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_up_to_date() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert tables().renewed(text) == text, "run `make fix`"


def test_a_table_that_is_out_of_date_is_noticed() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert tables().renewed(text.replace("`API_PORT`", "`PORT`")) == text


def test_a_missing_part_is_noticed() -> None:
    with pytest.raises(SystemExit):
        tables().renewed("nothing here")
