"""The environment of child processes."""

from pathlib import Path

from shared.terminal.environment import DEFAULT_PATH, child_environment, find_shell


def test_only_listed_names_get_through() -> None:
    environ = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "LC_TIME": "de_DE.UTF-8",
        "LANG": "de_DE.UTF-8",
        "OPENAI_API_KEY": "sk-secret",
        "JWT_SECRET": "secret",
        "DATABASE_URL": "postgresql://user:password@host/db",
        "LD_PRELOAD": "/evil.so",
        "MCP_GATEWAY_JOB": "outer",
        "BASH_ENV": "/evil",
        "EXTRA": "wanted",
    }
    assert child_environment(environ, ["EXTRA"]) == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "LC_TIME": "de_DE.UTF-8",
        "LANG": "de_DE.UTF-8",
        "EXTRA": "wanted",
    }


def test_what_a_shell_needs_is_there_even_in_an_empty_environment() -> None:
    kept = child_environment({})
    assert kept["PATH"] == DEFAULT_PATH
    assert Path(kept["HOME"]).is_absolute()
    assert kept["LANG"].endswith("UTF-8")


def test_a_locale_that_was_chosen_is_left_alone() -> None:
    assert "LANG" not in child_environment({"LC_ALL": "C"})


def test_shells_are_found_by_name_and_path(tmp_path: Path) -> None:
    shell = tmp_path / "myshell"
    shell.touch(0o755)
    env = {"PATH": str(tmp_path)}
    assert find_shell("myshell", env) == str(shell)
    assert find_shell(str(shell), env) == str(shell)
    assert find_shell("nosuch", env) is None
    assert find_shell("", env) == "/bin/sh"
    (tmp_path / "bash").touch(0o755)
    assert find_shell("", env) == str(tmp_path / "bash")
