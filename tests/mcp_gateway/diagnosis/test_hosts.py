"""Where MCP clients keep their configuration, and whether it names us."""

import json
import sys
from pathlib import Path

import pytest

from mcp_gateway.diagnosis.hosts import Host, hosts, look

ROOT = Path(__file__).parents[3]


def written(folder: Path, config: object) -> Host:
    path = folder / "mcp.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return Host("Test", (folder / "nearer.json", path))


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("darwin", "home/Library/Application Support/Claude/claude_desktop_config.json"),
        ("linux", "home/.config/Claude/claude_desktop_config.json"),
        ("win32", "home/AppData/Roaming/Claude/claude_desktop_config.json"),
    ],
)
def test_each_platform_has_its_places(platform: str, place: str) -> None:
    found = {host.name: host.files for host in hosts(Path("home"), Path("here"), platform, {})}
    assert found["Claude Desktop"] == (Path(place),)
    assert found["Claude Code"][0] == Path("here/.mcp.json")
    assert found["VS Code"][0] == Path("here/.vscode/mcp.json")
    assert found["Cursor"] == (Path("here/.cursor/mcp.json"), Path("home/.cursor/mcp.json"))


def test_what_is_not_there_is_no_problem(tmp_path: Path) -> None:
    assert look(Host("Test", (tmp_path / "a", tmp_path / "b")), 3000).text == f"no configuration at {tmp_path}/b"


def test_a_configuration_without_us_says_what_to_add(tmp_path: Path) -> None:
    found = look(written(tmp_path, {"mcpServers": {"other": {"command": "x"}}}), 3000)
    assert found.status == "ok"
    assert "mcp-gateway install" in found.advice


def test_our_command_must_be_there_and_be_named_in_full(tmp_path: Path) -> None:
    program = tmp_path / "mcp-gateway"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert look(written(tmp_path, {"mcpServers": {"x": {"command": str(program)}}}), 3000).status == "ok"
    assert look(written(tmp_path, {"servers": {"x": {"command": "/gone/mcp-gateway"}}}), 3000).status == "warn"
    nested = {"projects": {"/p": {"mcpServers": {"x": {"command": "mcp-gateway-that-is-nowhere"}}}}}
    assert look(written(tmp_path, nested), 3000).status == "warn"


def test_a_bare_name_may_not_be_found_by_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mcp-gateway"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = look(written(tmp_path, {"mcpServers": {"x": {"command": "mcp-gateway"}}}), 3000)
    assert found.status == "warn"
    assert str(Path(sys.executable).parent) in found.advice or "mcp-gateway" in found.advice


def test_a_url_and_comments_are_understood(tmp_path: Path) -> None:
    assert look(written(tmp_path, {"servers": {"x": {"url": "http://localhost:3000/mcp"}}}), 3000).status == "ok"
    commented = '{ // mine\n "context_servers": {"x": {"command": "/gone/mcp-gateway"}}, }'
    assert "which is not there" in look(written(tmp_path, commented), 3000).text


@pytest.mark.parametrize("text", ["mcp-gateway: yaml", '{"mcpServers": {', '{"theme": "dark" "font": 1}'])
def test_a_file_that_is_not_json_is_a_warning_whether_it_names_us_or_not(tmp_path: Path, text: str) -> None:
    found = look(written(tmp_path, text), 3000)
    assert found.status == "warn"
    assert "not valid JSON" in found.text


def test_what_cannot_be_read_is_a_warning(tmp_path: Path) -> None:
    host = written(tmp_path, "")
    host.files[1].write_bytes(b"\xff\xfe\x00")
    assert look(host, 3000).status == "warn"


def test_the_example_asks_for_the_whole_path() -> None:
    example = json.loads((ROOT / "claude_desktop_config.example.json").read_text())
    (entry,) = example["mcpServers"].values()
    assert entry == {"command": "/path/to/mcp-gateway", "args": ["stdio"]}
