"""`mcp-gateway approvals`, and `run` under a policy."""

from pathlib import Path

from tests.mcp_gateway.commands.conftest import Shell

POLICY = """
[[policies]]
name = "p"
[[policies.rules]]
action = "confirm"
commands = ["printf"]
reason = "it prints"
[[policies.rules]]
action = "deny"
commands = ["rm"]
reason = "it deletes"
"""


def test_a_command_is_listed_approved_and_denied(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "policy.toml").write_text(POLICY)
    asked = shell("run", "--", "printf done")
    assert asked.code == 126
    assert "needs a person's approval (it prints)" in asked.err
    (waiting,) = shell("approvals", "list", "--json").json["approvals"]
    assert waiting["command"] == "printf done"
    assert f"once it is approved: mcp-gateway run --approval {waiting['id']} -- " in asked.err
    assert "with approvalId" not in asked.err
    table = shell("approvals", "list").out
    assert "printf done" in table
    assert "it prints" in table
    shown = shell("approvals", "show", waiting["id"]).out
    assert "Where: type:local\n" in shown
    assert "Programs: printf: /" in shown
    assert shown.endswith("\nprintf done\n")
    assert shell("approvals", "show", waiting["id"], "--json").json == waiting
    assert shell("approvals", "show", "appr-unknown").code == 1
    assert shell("approvals", "approve", waiting["id"]).out == "approved: printf done\n"
    assert shell("approvals", "deny", waiting["id"]).code == 1
    ran = shell("run", "--approval", waiting["id"], "--", "printf done")
    assert (ran.code, ran.out) == (0, "done")
    assert shell("approvals", "list", "--json").json == {"approvals": []}
    assert shell("approvals", "approve", "appr-unknown").code == 1


def test_a_denied_command_does_not_run(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "policy.toml").write_text(POLICY)
    done = shell("run", "--", "sh", "-c", "rm x")
    assert done.code == 126
    as_json = shell("run", "--json", "--", "rm x")
    assert (as_json.code, as_json.json["code"]) == (126, "command_denied")
    assert "does not allow this command: it deletes" in done.err
    assert shell("run", "--", "echo", "rm").out == "rm\n"


def test_a_policy_with_mistakes_keeps_the_gateway_from_opening(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "policy.toml").write_text("[[policies]]\nrules = 1\n")
    done = shell("run", "--", "true")
    assert done.code == 1
    assert "policy.toml cannot be used" in done.err
