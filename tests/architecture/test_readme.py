"""The README's generated parts are those of the code."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from mcp_gateway.installing.endpoint import MODELS
from shared.registry import seed

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"(?<![\w/.-])(?:openai|anthropic|openrouter|oss-local)/[A-Za-z0-9][\w.:/-]*")
GUIDES = sorted(
    path
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").iterdir())
    if path.is_file() and path.suffix in (".md", ".py", ".toml")
)


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


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_models_that_a_guide_names_are_in_the_registry_as_it_ships(path: Path) -> None:
    known = {model.id for model in seed.models()} | {f"openai/{name}" for name in MODELS}  # aider's names of our own
    assert {name for name in NAMED.findall(path.read_text("utf-8")) if name not in known} == set()


def test_the_names_of_models_are_found_in_commands() -> None:
    named = "keys create ci --models openai/gpt-6-luna,anthropic/claude-haiku-4-5 --max-layer L1"
    assert NAMED.findall(named) == ["openai/gpt-6-luna", "anthropic/claude-haiku-4-5"]
