"""`mcp-gateway trace`."""

from tests.mcp_gateway.commands.conftest import Shell

UNKNOWN = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_command_is_told_with_its_exit_code(shell: Shell) -> None:
    assert shell("run", "--", "exit 3").code == 3
    (entry,) = shell("audit", "list", "--action", "run_command_events", "--json").json["entries"]
    told = shell("trace", entry["traceId"])
    assert (told.code, "exit 3; exit code 3" in told.out) == (0, True), told.out
    assert shell("trace", entry["traceId"], "--json").json["steps"][0]["exitCode"] == 3


def test_an_unknown_trace_says_where_ids_come_from(shell: Shell) -> None:
    told = shell("trace", UNKNOWN)
    assert told.code == 1
    assert "X-Trace-Id" in told.err
