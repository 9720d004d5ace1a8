"""The demo's own gateway, and its panels."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from tests.support.http_gateway import surface
from tests.support.http_server import serving

ROOT = Path(__file__).parents[3]


@pytest.fixture
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_settings_of_the_person_who_runs_it_do_not_reach_its_gateway(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_MODE", "required")
    monkeypatch.setenv("API_HOST", "192.0.2.1")
    monkeypatch.setenv("DATABASE_URL", "sqlite:////elsewhere")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    found = demo.environment("/folder")
    assert (found["AUTH_MODE"], found["API_HOST"], found["DATA_DIR"]) == ("local", "127.0.0.1", "/folder")
    assert "DATABASE_URL" not in found
    assert (found["OPENAI_API_KEY"], found["https_proxy"]) == ("sk-x", "http://127.0.0.1:1")
    assert found["PATH"] == os.environ["PATH"]


def test_no_line_of_a_panel_is_wrapped(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "console", Console(width=80, force_terminal=False))
    facts = {
        "model": "nvidia/nemotron-3-ultra-550b-a55b:free",
        "layer": "L0",
        "tokens": 1234,
        "cost": "$0.000000",
        "command": demo.COMMAND,
        "time": "1.23 s",
    }
    demo.show("MCP: tool chat", "word " * 60, facts)
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    for name, value in facts.items():
        assert any(f"{name} {value}" in line for line in lines), name
    assert "word word" in lines[1]
    assert all(len(line) <= 80 for line in lines)


async def test_the_fail_over_is_answered_where_no_other_model_can(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "console", Console(width=80, force_terminal=False))
    async with surface(tmp_path) as made, serving(made.app) as server:
        await demo.through_a_failure(server.url)
    shown = capsys.readouterr().out
    assert "Paris is the capital of France." in shown
    assert "attempts 2" in shown
