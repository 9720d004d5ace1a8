"""Every operation is reachable on both surfaces, or named here with the reason why not."""

from pathlib import Path

from http_api.app import ROWS
from shared import errors
from shared.errors import GatewayError
from shared.operations.catalog import CATALOG
from shared.operations.operation import Operation, StreamOperation

ROOT = Path(__file__).parents[2]


def test_names_are_unique() -> None:
    names = [operation.name for operation in CATALOG]
    assert len(set(names)) == len(names)


def test_every_operation_of_the_modules_is_in_the_catalog() -> None:
    import importlib
    import pkgutil

    import shared.operations

    known = {id(operation) for operation in CATALOG}
    for module in pkgutil.iter_modules(shared.operations.__path__, "shared.operations."):
        found = vars(importlib.import_module(module.name)).values()
        missing = [
            item.name for item in found if isinstance(item, Operation | StreamOperation) and id(item) not in known
        ]
        assert missing == [], f"{module.name} has operations that the catalog lacks"


def test_every_operation_is_reachable_over_rest() -> None:
    from http_api.routes.chat import OPERATIONS as CHAT_OPERATIONS

    bound = {row.operation.name for row in ROWS} | {operation.name for operation in CHAT_OPERATIONS} | {"count_tokens"}
    assert {operation.name for operation in CATALOG} - bound - NOT_OVER_REST == set()


NOT_OVER_REST = {
    "run_command",  # a session and /execute do the same, and leave the state to look at
    "run_command_events",
    "replay_events",  # `replay` says the same at its end
    "type_live",  # it is over the WebSocket, and /send does the same
    "follow_terminal",  # the WebSocket is made of it
    "list_terminals_here",  # processes of one gateway ask each other
    "list_pending_logins_here",
    "confirm_command",  # who asks there is a program, which could agree with itself
}


def test_every_writing_operation_is_audited() -> None:
    silent = {
        operation.name
        for operation in CATALOG
        if operation.effect in ("write", "destroy", "execute") and operation.audit is None
    }
    assert silent == {
        "chat",  # each attempt is a row of the ledger, which says more
        "chat_stream",
        "resize_terminal",
        "type_live",  # a row for each line, not for each key
    }


def test_each_error_class_is_drawn_in_the_tree() -> None:
    names = [
        item.__name__ for item in vars(errors).values() if isinstance(item, type) and issubclass(item, GatewayError)
    ]
    assert errors.__doc__ is not None
    assert [name for name in names if name not in errors.__doc__] == []
    codes = [vars(errors)[name].code for name in names if name != "Unsupported"]
    assert len(set(codes)) == len(codes)
