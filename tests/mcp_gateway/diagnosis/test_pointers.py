"""Settings that point nowhere."""

from pathlib import Path

import pytest

from mcp_gateway.diagnosis import pointers
from shared.settings import Settings


@pytest.mark.parametrize("shell", ["", "sh", "/bin/sh"])
@pytest.mark.parametrize("aliases", ["none", "/dev/null"])
def test_what_points_somewhere_goes_unsaid(tmp_path: Path, shell: str, aliases: str) -> None:
    writable = f"~, ., {tmp_path}"
    settings = Settings(data_dir=tmp_path, terminal_shell=shell, terminal_writable_paths=writable, ssh_config=aliases)
    assert list(pointers.look(settings)) == []


def test_the_users_own_ssh_configuration_need_not_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list(pointers.look(Settings(data_dir=tmp_path))) == []


def test_a_program_a_directory_and_a_file_that_are_not_there_are_named(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    settings = Settings(
        data_dir=tmp_path, terminal_shell="/nope", terminal_writable_paths=f"~,{gone},~nobody-here", ssh_config=gone
    )
    found = [(finding.name, finding.status, finding.text.split(": ")[0]) for finding in pointers.look(settings)]
    assert found == [
        ("setting TERMINAL_SHELL", "fail", "/nope"),
        ("setting TERMINAL_WRITABLE_PATHS", "warn", gone),
        ("setting TERMINAL_WRITABLE_PATHS", "warn", "~nobody-here"),
        ("setting SSH_CONFIG", "warn", gone),
    ]
