"""`mcp-gateway keys` and `admin`."""

from tests.mcp_gateway.commands.conftest import Shell


def test_a_key_is_shown_once_listed_and_deleted(shell: Shell) -> None:
    made = shell("keys", "create", "laptop", "--scope", "chat", "--days", "30", "--per-hour", "5")
    secret = made.out.strip()
    assert made.out == f"{secret}\n"
    assert secret.startswith("mgw_")
    (key,) = shell("keys", "list", "--json").json["keys"]
    assert (key["name"], key["scopes"], key["rateLimitPerHour"]) == ("laptop", ["chat"], 5)
    assert key["expiresAt"]
    table = shell("keys", "list").out
    assert "laptop" in table
    assert secret not in table
    assert shell("keys", "delete", key["id"]).out == f"{key['id']} is deleted.\n"
    assert shell("keys", "list", "--json").json == {"keys": []}
    assert shell("keys", "delete", key["id"]).code == 1


def test_json_of_a_new_key_holds_its_secret(shell: Shell) -> None:
    assert shell("keys", "create", "ci", "--json").json["secret"].startswith("mgw_")


def test_unknown_scopes_are_named(shell: Shell) -> None:
    done = shell("keys", "create", "x", "--scope", "everything")
    assert done.code == 1
    assert "'scopes.0'" in done.err
