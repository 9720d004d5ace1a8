"""`mcp-gateway admin`."""

import io

import pytest

from tests.mcp_gateway.commands.conftest import Shell


def test_a_new_password_is_read_from_stdin(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    done = shell("admin", "set-password")
    assert done.code == 0, done.err
    assert done.out == "The password of 'admin' is set; earlier logins have ended.\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert shell("admin", "set-password", "--json").json == {"success": True, "username": "admin"}


def test_what_cannot_be_set_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("long enough, surely\n"))
    done = shell("admin", "set-password", "--username", "nobody")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: There is no user 'nobody'.\n"


def test_a_password_in_the_settings_counts_again_at_the_next_start(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", "the first of them")
    monkeypatch.setattr("sys.stdin", io.StringIO("another one, later\n"))
    done = shell("admin", "set-password")
    assert done.code == 0
    assert "ADMIN_PASSWORD is set" in done.err


@pytest.mark.parametrize("given", ["", "\n", "abc\n", "password\n", "1234567\n", "password123\n"])
def test_an_empty_or_weak_password_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    done = shell("admin", "set-password", "--json")
    assert done.code == 1
    assert done.json["code"] == "weak_password"
    assert done.err.startswith("error: ")
    if given.strip():
        assert "8 characters" in done.err


def test_a_closed_stdin_gives_no_password(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert shell("admin", "set-password").code == 1


def test_the_help_says_what_a_viewer_may_do(shell: Shell) -> None:
    assert "models, layers, providers, configuration, usage" in " ".join(
        shell("admin", "add-user", "--help").out.split()
    )


def test_users_come_and_go(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    added = shell("admin", "add-user", "eve", "--json")
    assert added.code == 0, added.err
    assert (added.json["username"], added.json["role"]) == ("eve", "viewer")
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert shell("admin", "add-user", "eve", "--role", "admin", "--json").json["code"] == "user_exists"
    assert [user["username"] for user in shell("admin", "users", "--json").json["users"]] == ["eve"]
    assert "viewer" in shell("admin", "users").out
    assert shell("admin", "remove-user", "eve").out == "'eve' can log in no more.\n"
    assert shell("admin", "remove-user", "eve", "--json").json["code"] == "user_not_found"
    assert shell("admin", "remove-user", "admin").code == 1
    assert shell("admin", "add-user", "eve", "--role", "root").code == 2
    actions = [entry["action"] for entry in shell("audit", "list", "--json").json["entries"]]
    assert actions == ["remove_user", "add_user"]
