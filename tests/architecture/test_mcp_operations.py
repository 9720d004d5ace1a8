"""Every operation is reachable over MCP, or named here with the reason why not."""

import importlib
import pkgutil

import mcp_gateway.calls
from mcp_gateway.resource_table import RESOURCES, TEMPLATES
from mcp_gateway.tools import TOOLS
from shared.operations.catalog import CATALOG
from shared.operations.operation import Operation, StreamOperation

BOUND = {name for group in (*TOOLS.values(), *RESOURCES.values(), *TEMPLATES) for name in group.operations}

ONLY_ONE_FORM = {
    "count_tokens",  # agents that call models themselves ask for it, over HTTP
    "chat",  # `chat_stream`, so that progress can carry the text so far
    "run_command",  # `run_command_events`, so that progress can carry the output
    "replay_events",  # `replay` says the same at its end
    "execute_command",  # `run_command` in a session does the same
    "execute_once",  # `run_command` without a session does the same
    "connect_saved",  # `open_terminal` takes a connection
    "get_connection",  # `list_terminals` shows them
    "type_live",  # `send_to_terminal` does the same in one piece
    "follow_terminal",  # subscriptions say that there is more, and `read_terminal` reads it
    "list_terminals_here",  # processes of one gateway ask each other
    "list_pending_logins_here",
    "list_pending_logins",  # for people: the call that waits says what is asked
    "resize_terminal",  # the size is given when a session is opened
}
FOR_THE_OPERATOR = {  # a model that could change these could give itself more than it was given
    "add_model",
    "change_aliases",
    "delete_model",
    "add_provider",
    "update_provider",
    "delete_provider",
    "get_config",
    "change_config",
    "clear_cache",
    "create_key",
    "list_keys",
    "list_unreadable_rows",
    "delete_key",
    "create_budget",
    "update_budget",
    "delete_budget",
    "login",
    "logout",
    "auth_status",
    "verify_token",
    "list_audit",
    "verify_audit",
    "get_trace",
    "get_command_policy",
    "change_command_policy",
    "check_command",
    "list_approvals",
    "decide_approval",
    "list_recordings",  # played by people, not read by models
    "get_recording",
    "delete_recording",
    "create_connection",  # their secrets are not to pass through a model
    "update_connection",
    "delete_connection",
}
NOT_YET = {
    "get_decision",
    "replay",
    "give_feedback",
    "stats",
}


def test_every_operation_is_reachable_over_mcp_or_exempt() -> None:
    names = {operation.name for operation in CATALOG}
    assert names >= BOUND
    assert names - BOUND - ONLY_ONE_FORM - FOR_THE_OPERATOR - NOT_YET == set()
    assert not BOUND & (ONLY_ONE_FORM | FOR_THE_OPERATOR | NOT_YET)


def test_what_the_tables_name_is_what_the_calls_use() -> None:
    used: set[str] = set()
    for module in pkgutil.iter_modules(mcp_gateway.calls.__path__, "mcp_gateway.calls."):
        found = vars(importlib.import_module(module.name)).values()
        used |= {item.name for item in found if isinstance(item, Operation | StreamOperation)}
    assert used == BOUND
