"""Settings that point nowhere."""

from pathlib import Path

import pytest

from mcp_gateway.diagnosis import pointers
from shared.settings import Settings


@pytest.mark.parametrize("shell", ["", "sh", "/bin/sh"])
def test_what_points_somewhere_goes_unsaid(tmp_path: Path, shell: str) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    settings = Settings(data_dir=tmp_path, terminal_shell=shell)
    assert list(pointers.look(settings, {"MCP_GATEWAY_CONFIG": str(file)})) == []
    assert list(pointers.look(settings, {})) == []


def test_a_program_and_a_file_that_are_not_there_are_named(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, terminal_shell="/nope")
    shell, file = pointers.look(settings, {"MCP_GATEWAY_CONFIG": str(tmp_path)})
    assert (shell.name, shell.status) == ("setting TERMINAL_SHELL", "fail")
    assert (file.name, file.status) == ("setting MCP_GATEWAY_CONFIG", "warn")
    assert str(tmp_path) in file.text
