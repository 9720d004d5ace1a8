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


def test_a_key_with_bounds(shell: Shell) -> None:
    arguments = ("--name", "ci", "--scopes", "chat,models:read", "--budget", "0.25", "--budget-period", "day")
    made = shell(
        "keys",
        "create",
        *arguments,
        "--models",
        "openai/gpt-6-luna,anthropic",
        "--max-layer",
        "L1",
        "--expires",
        "2090-01-01",
    )
    assert made.out.startswith("mgw_")
    (key,) = shell("keys", "list", "--json").json["keys"]
    assert (key["name"], key["scopes"], key["models"], key["maxLayer"]) == (
        "ci",
        ["chat", "models:read"],
        ["openai/gpt-6-luna", "anthropic"],
        "L1",
    )
    assert (key["budgetUsd"], key["budgetPeriod"], key["expiresAt"][:10]) == (0.25, "day", "2090-01-01")
    assert "$0.25 a day, up to L1, openai/gpt-6-luna anthropic" in shell("keys", "list").out


def test_a_model_that_nobody_has_is_refused_with_the_nearest(shell: Shell) -> None:
    done = shell("keys", "create", "ci", "--model", "gpt-6-lunaa")
    assert done.code == 1
    assert "there is no model or provider 'gpt-6-lunaa'; the nearest are " in done.err
    assert "gpt-6-luna" in done.err
    assert shell("keys", "list", "--json").json == {"keys": []}


def test_a_key_needs_one_name(shell: Shell) -> None:
    assert shell("keys", "create").code == 2
    assert shell("keys", "create", "x", "--name", "y").code == 2


def test_a_key_ends_once(shell: Shell) -> None:
    done = shell("keys", "create", "x", "--days", "5", "--expires", "2090-01-01")
    assert done.code == 2
    assert "--days or with --expires" in done.err
    assert shell("keys", "list", "--json").json == {"keys": []}


def test_json_of_a_new_key_holds_its_secret(shell: Shell) -> None:
    assert shell("keys", "create", "ci", "--json").json["secret"].startswith("mgw_")


def test_unknown_scopes_are_named(shell: Shell) -> None:
    done = shell("keys", "create", "x", "--scope", "everything")
    assert done.code == 1
    assert "'scopes.0'" in done.err


def test_limits_of_a_key_are_made_and_shown(shell: Shell) -> None:
    options = ("--rpm", "60", "--tpm", "9000", "--streams", "2", "--expires", "2100-01-01")
    made = shell("keys", "create", "--name", "ci", *options, "--json").json["key"]
    assert (made["rateLimitPerMinute"], made["tokensPerMinute"], made["maxStreams"]) == (60, 9000, 2)
    shown = shell("keys", "list").out
    for words in ("60 requests a minute", "9000 tokens a minute", "2 streams at once", "2100-01-01"):
        assert words in shown


def test_names_that_change_what_is_read_are_listed_as_codes(shell: Shell) -> None:
    """Else a key or a model in one listing could look like another one, or steer the terminal."""
    signs = "\u202e\u2066\x9b\x85\u200b\U000e0041"
    codes = r"\u202e\u2066\u009b\u0085\u200b\U000e0041"
    shell("keys", "create", f"cash{signs}ed")
    printed = [shell("keys", "list").out, shell("audit", "list").out, shell("audit", "list", "--json").out]
    assert shell("keys", "list", "--json").json["keys"][0]["name"] == f"cash{signs}ed"
    refused = shell("keys", "create", "ci", "--model", f"gpt{signs}4")
    printed += [refused.out, refused.err]
    assert f"cash{codes}ed" in printed[0]
    assert f"gpt{codes}4" in refused.err
    assert not set(signs) & set("".join(printed))
