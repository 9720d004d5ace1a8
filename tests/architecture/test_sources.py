"""What holds for every source file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "mcp_gateway", "http_api")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "misc"}
IMMUTABLE_CALLS = {
    "frozenset", "tuple", "MappingProxyType", "TypeVar", "re.compile", "NewType", "Operation", "StreamOperation",
}  # fmt: skip


def sources() -> list[Path]:
    return sorted(
        path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "versions" not in path.parts
    )


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_a_module_says_in_one_sentence_what_it_is(path: Path) -> None:
    documentation = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert documentation, "no docstring"
    assert documentation.split("\n\n")[0].rstrip().endswith((".", ":")), "the first paragraph is not a sentence"


def test_no_module_is_named_for_nothing() -> None:
    assert [relative(path) for path in sources() if path.stem in FORBIDDEN_NAMES] == []


def test_packages_hold_only_their_docstring() -> None:
    for path in sources():
        if path.name == "__init__.py":
            body = ast.parse(path.read_text("utf-8")).body
            assert len(body) == 1, relative(path)


ONE_TABLE = {"shared/settings.py": 600, "shared/terminal/policy/rows.py": 500}
"""Files that are one table of rows, and the lines that they may have."""


def test_no_file_is_too_long_to_read() -> None:
    lines = {relative(path): len(path.read_text("utf-8").splitlines()) for path in sources()}
    assert {name: count for name, count in lines.items() if count > ONE_TABLE.get(name, 400)} == {}


def mutable_globals(path: Path) -> Iterator[str]:
    """Names that a module binds to a list, dict or set, and that are not written as constants."""
    for node in ast.parse(path.read_text("utf-8")).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
            yield from (name.id for name in targets if isinstance(name, ast.Name) and not name.id.isupper())


def test_no_module_keeps_mutable_state() -> None:
    found = {relative(path): names for path in sources() if (names := list(mutable_globals(path)))}
    assert found == {}


def test_nothing_is_changed_through_global() -> None:
    found = [
        relative(path)
        for path in sources()
        if any(isinstance(node, ast.Global) for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    ]
    assert found == []


THROUGH_A_HIGHER_DOOR = {
    "shared/storage/outage_rows.py": "shared/usage/test_sharing.py",
    "shared/usage/changing.py": "shared/usage/test_budgets.py",
    "mcp_gateway/icons.py": "mcp_gateway/test_toolsets.py",
    "shared/operations/codex_catalogue.py": "http_api/routes/test_model_list.py",
    "shared/operations/token_count.py": "http_api/routes/test_messages.py",
    "shared/dialects/messages/content.py": "shared/dialects/messages/test_request.py",
    "shared/dialects/messages/answer.py": "shared/dialects/messages/test_stream.py",
    "http_api/openapi_messages.py": "http_api/test_openapi.py",
    "shared/dialects/block_stream.py": "shared/dialects/messages/test_stream.py",
    "shared/dialects/responses/answer.py": "shared/dialects/responses/test_stream.py",
    "shared/dialects/responses/items.py": "shared/dialects/responses/test_request.py",
    "shared/dialects/responses/sealing.py": "shared/dialects/responses/test_request.py",
    "shared/dialects/responses/tools.py": "shared/dialects/responses/test_request.py",
    "http_api/openapi_ollama.py": "http_api/test_openapi.py",
    "http_api/openapi_responses.py": "http_api/test_openapi.py",
    "shared/dialects/ollama/answer.py": "http_api/routes/test_ollama.py",
    "shared/dialects/ollama/models.py": "http_api/routes/test_ollama.py",
    "shared/routing/streamed_answer.py": "shared/routing/test_executor.py",
    "shared/domain/story.py": "http_api/test_traces.py",
    "shared/storage/command_rows.py": "http_api/routes/test_command_limits.py",
    "shared/operations/chat_entry.py": "http_api/test_traces.py",
    "shared/operations/running_output.py": "shared/operations/test_terminals.py",
    "shared/operations/unsandboxed.py": "http_api/routes/test_unsandboxed.py",
    "http_api/internal.py": "security/test_between_processes.py",
    "http_api/lingering.py": "http_api/test_server.py",
    "http_api/protocol.py": "http_api/test_server.py",
    "http_api/socket_protocol.py": "http_api/test_server.py",
    "mcp_gateway/__main__.py": "journeys/test_stdio.py",
    "mcp_gateway/bridge/lines.py": "mcp_gateway/bridge/test_bridge.py",
    "mcp_gateway/bridge/refusals.py": "mcp_gateway/bridge/test_main.py",
    "mcp_gateway/calls/bounds.py": "mcp_gateway/terminals/test_time.py",
    "mcp_gateway/calls/commands.py": "mcp_gateway/test_run_command.py",
    "mcp_gateway/calls/interaction.py": "mcp_gateway/terminals/test_tools.py",
    "mcp_gateway/calls/known.py": "mcp_gateway/test_completion.py",
    "mcp_gateway/calls/outputs.py": "mcp_gateway/test_run_command.py",
    "mcp_gateway/calls/questions.py": "mcp_gateway/test_chat.py",
    "mcp_gateway/calls/watching.py": "mcp_gateway/terminals/test_tools.py",
    "mcp_gateway/chat_tools.py": "mcp_gateway/test_schemas.py",
    "mcp_gateway/command_tools.py": "mcp_gateway/test_schemas.py",
    "mcp_gateway/commands/admin.py": "mcp_gateway/commands/test_cli.py",
    "mcp_gateway/commands/approvals.py": "mcp_gateway/commands/test_approvals_command.py",
    "mcp_gateway/commands/backup.py": "mcp_gateway/commands/test_backup_command.py",
    "mcp_gateway/commands/code.py": "mcp_gateway/commands/test_code_command.py",
    "mcp_gateway/commands/doctor.py": "mcp_gateway/commands/test_cli.py",
    "mcp_gateway/commands/failures.py": "mcp_gateway/commands/test_cli.py",
    "mcp_gateway/commands/install.py": "mcp_gateway/commands/test_install_command.py",
    "mcp_gateway/installing/editing.py": "mcp_gateway/commands/test_install_command.py",
    "mcp_gateway/installing/entry.py": "mcp_gateway/commands/test_install_command.py",
    "mcp_gateway/commands/migrate.py": "mcp_gateway/commands/test_backup_command.py",
    "mcp_gateway/commands/output.py": "mcp_gateway/commands/test_cli.py",
    "mcp_gateway/commands/pulling.py": "mcp_gateway/commands/test_cli.py",
    "mcp_gateway/commands/replay.py": "mcp_gateway/commands/test_replay_command.py",
    "mcp_gateway/commands/root.py": "mcp_gateway/commands/test_cli.py",
    "mcp_gateway/commands/route.py": "mcp_gateway/commands/test_route_command.py",
    "mcp_gateway/commands/secrets.py": "mcp_gateway/commands/test_secrets_command.py",
    "mcp_gateway/commands/welcome.py": "mcp_gateway/commands/test_cli.py",
    "mcp_gateway/connection.py": "mcp_gateway/test_subscriptions.py",
    "mcp_gateway/diagnosis/finding.py": "mcp_gateway/commands/test_cli.py",
    "mcp_gateway/diagnosis/services.py": "mcp_gateway/commands/test_cli.py",
    "mcp_gateway/installing/steps.py": "mcp_gateway/commands/test_install_command.py",
    "mcp_gateway/marks.py": "mcp_gateway/test_subscriptions.py",
    "mcp_gateway/model_tools.py": "mcp_gateway/test_schemas.py",
    "mcp_gateway/refused_messages.py": "mcp_gateway/test_throttling.py",
    "mcp_gateway/resource.py": "mcp_gateway/test_resources.py",
    "mcp_gateway/spans.py": "http_api/test_telemetry.py",
    "mcp_gateway/terminals/results.py": "mcp_gateway/terminals/test_tools.py",
    "shared/domain/files.py": "http_api/routes/test_terminal_ssh.py",
    "shared/domain/signals.py": "contracts/test_interactive_terminals.py",
    "shared/operations/auto.py": "contracts/test_auto_defaults.py",
    "shared/operations/files.py": "http_api/routes/test_terminal_ssh.py",
    "shared/operations/following.py": "journeys/test_one_gateway_of_many_processes.py",
    "shared/operations/host_leave.py": "mcp_gateway/calls/test_leave.py",
    "shared/terminal/ssh/executor.py": "shared/terminal/ssh/test_channel.py",
    "shared/terminal/local_executor.py": "shared/terminal/test_local.py",
    "shared/terminal/job_control.py": "shared/terminal/test_expiry.py",
    "shared/terminal/jobs.py": "shared/terminal/test_sessions.py",
    "shared/operations/kept.py": "http_api/routes/test_terminals.py",
    "shared/operations/one_shot.py": "http_api/routes/test_terminals.py",
    "shared/operations/policing.py": "http_api/routes/test_policy.py",
    "shared/operations/tool_spans.py": "http_api/test_telemetry.py",
    "shared/operations/replay.py": "http_api/routes/test_decisions.py",
    "shared/parts.py": "shared/test_upkeep.py",
    "shared/providers/http/dialing.py": "shared/providers/http/test_ways.py",
    "shared/providers/http/pool.py": "shared/providers/http/test_client.py",
    "shared/providers/http/target.py": "shared/providers/http/test_client.py",
    "shared/routing/attempt.py": "shared/routing/test_executor.py",
    "shared/routing/checks/agreement.py": "shared/routing/test_router.py",
    "shared/routing/checks/cross_check.py": "shared/routing/test_router.py",
    "shared/routing/checks/escalation.py": "shared/routing/test_router.py",
    "shared/routing/course.py": "shared/routing/test_router.py",
    "shared/routing/exhausted.py": "shared/routing/test_executor.py",
    "shared/routing/fitness.py": "shared/routing/test_planner.py",
    "shared/routing/policy.py": "shared/routing/test_planner.py",
    "shared/routing/replay/past.py": "shared/routing/replay/test_replaying.py",
    "shared/routing/usage_event.py": "shared/routing/test_executor.py",
    "shared/settings.py": "shared/test_setting_sources.py",
    "shared/security/audit_chain.py": "shared/security/test_audit_pruning.py",
    "shared/storage/approval_rows.py": "shared/terminal/test_approvals.py",
    "shared/storage/backups.py": "mcp_gateway/commands/test_backup_command.py",
    "shared/storage/decision_rows.py": "shared/routing/replay/test_decisions.py",
    "shared/storage/budget_rows.py": "shared/usage/test_budgets.py",
    "shared/storage/model_rows.py": "shared/registry/test_registry.py",
    "shared/storage/node_rows.py": "shared/cluster/test_nodes.py",
    "shared/storage/provider_rows.py": "shared/registry/test_accounts.py",
    "shared/storage/usage_hours.py": "shared/storage/test_usage_sums.py",
    "shared/storage/usage_summing.py": "shared/storage/test_usage_sums.py",
    "shared/telemetry/attempts.py": "http_api/test_telemetry.py",
    "shared/terminal/local_run.py": "shared/terminal/test_local.py",
    "shared/terminal/notices.py": "contracts/test_interactive_terminals.py",
    "shared/terminal/policy/acts.py": "shared/terminal/policy/test_commands.py",
    "shared/terminal/policy/redirections.py": "shared/terminal/policy/test_corpus.py",
    "shared/terminal/policy/runs.py": "shared/terminal/policy/test_commands.py",
    "shared/terminal/policy/variables.py": "shared/terminal/policy/test_commands.py",
    "shared/terminal/policy/wrappers.py": "shared/terminal/policy/test_commands.py",
    "shared/terminal/pseudo_terminal.py": "shared/terminal/test_local.py",
    "shared/terminal/recording_channel.py": "shared/terminal/test_recordings.py",
    "shared/terminal/slots.py": "shared/terminal/test_sessions.py",
    "shared/terminal/ssh/command_run.py": "shared/terminal/ssh/test_hosts.py",
    "shared/terminal/ssh/config_parser.py": "shared/terminal/ssh/test_client_config.py",
    "shared/terminal/ssh/file_errors.py": "contracts/test_terminal_files.py",
    "shared/terminal/ssh/link.py": "shared/terminal/ssh/test_channel.py",
    "shared/terminal/ssh/login.py": "shared/terminal/ssh/test_hosts.py",
    "shared/terminal/ssh/login_shell.py": "shared/terminal/ssh/test_channel.py",
    "shared/terminal/ssh/private_key_child.py": "shared/terminal/ssh/test_private_keys.py",
    "shared/operations/unreadable.py": "http_api/test_unreadable_rows.py",
    "shared/usage/bound.py": "shared/usage/test_budgets.py",
    "shared/usage/counter.py": "shared/usage/test_budgets.py",
    "shared/usage/recount.py": "shared/usage/test_budgets.py",
    "shared/usage/refusal.py": "shared/usage/test_budgets.py",
    "shared/usage/shared_counters.py": "shared/usage/test_budgets.py",
    "shared/usage/unsent.py": "shared/usage/test_budgets.py",
}
"""Modules without a test file of their own, and the one that goes through them."""


def test_every_module_has_its_tests() -> None:
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests").rglob("test_*.py")}
    texts = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    untested = {
        relative(path)
        for path in sources()
        if path.name != "__init__.py"
        and path.stem not in tests
        and f"{path.parent.name}.{path.stem}" not in texts
        and f"import {path.stem}" not in texts
    }
    assert untested - THROUGH_A_HIGHER_DOOR.keys() == set(), "write a test file, or say which one goes through it"
    assert [path for path in THROUGH_A_HIGHER_DOOR.values() if not (ROOT / "tests" / path).exists()] == []
