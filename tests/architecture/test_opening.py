"""The first answers of stdio are those of the server."""

import importlib


async def test_the_data_is_up_to_date() -> None:
    script = importlib.import_module("scripts.opening")
    found = script.FILE.read_text("utf-8") == script.text_of(await script.made())
    assert found, "run make fix, or PYTHONPATH=. .venv/bin/python scripts/opening.py --write"
