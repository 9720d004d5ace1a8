"""Terminal sessions, commands, and saved connections. The live terminal over a WebSocket is in terminal_socket."""

from http_api.binding import Row
from shared.domain.terminal import MAX_COMMAND_BYTES, MAX_STDIN
from shared.operations import answers, connections, files, kept, one_shot, terminals
from shared.settings import Settings

ESCAPED = 6
"""Bytes that one character may take in JSON, as `\\u0000`."""
ESCAPED_BYTES = 3
"""The same for each byte of a text in UTF-8, but for control characters, which base64 is for."""
AROUND = 64 * 1024
"""Bytes for the rest of a body."""


def _execute_limit(settings: Settings) -> int:
    return max(settings.max_body_bytes, (MAX_STDIN + MAX_COMMAND_BYTES) * ESCAPED + AROUND)


def _file_limit(settings: Settings) -> int:
    return settings.terminal_max_file_bytes * ESCAPED_BYTES + AROUND


ROWS = (
    Row(method="POST", path="/v1/terminal/sessions", operation=terminals.OPEN_TERMINAL, status=201),
    Row(method="GET", path="/v1/terminal/sessions", operation=terminals.LIST_TERMINALS),
    Row(method="GET", path="/v1/terminal/connections", operation=connections.LIST_CONNECTIONS),
    Row(method="POST", path="/v1/terminal/connections", operation=connections.CREATE_CONNECTION, status=201),
    Row(method="GET", path="/v1/terminal/connections/{id}", operation=connections.GET_CONNECTION),
    Row(method="PUT", path="/v1/terminal/connections/{id}", operation=connections.UPDATE_CONNECTION),
    Row(method="DELETE", path="/v1/terminal/connections/{id}", operation=connections.DELETE_CONNECTION),
    Row(method="POST", path="/v1/terminal/connections/{id}/connect", operation=connections.CONNECT_SAVED, status=201),
    Row(
        method="POST",
        path="/v1/terminal/execute",
        operation=one_shot.EXECUTE_ONCE,
        nul=True,
        body_limit=_execute_limit,
    ),
    Row(method="GET", path="/v1/terminal/logins", operation=answers.LIST_LOGINS),
    Row(method="GET", path="/v1/terminal/outputs/{id}", operation=kept.READ_KEPT),
    Row(method="GET", path="/v1/terminal/{id}", operation=terminals.GET_TERMINAL),
    Row(method="DELETE", path="/v1/terminal/{id}", operation=terminals.CLOSE_TERMINAL),
    Row(
        method="POST",
        path="/v1/terminal/{id}/execute",
        operation=terminals.EXECUTE_COMMAND,
        nul=True,
        body_limit=_execute_limit,
    ),
    Row(method="POST", path="/v1/terminal/{id}/send", operation=terminals.SEND_TO_TERMINAL, nul=True),
    Row(method="POST", path="/v1/terminal/{id}/signal", operation=terminals.SIGNAL_TERMINAL),
    Row(method="POST", path="/v1/terminal/{id}/resize", operation=terminals.RESIZE_TERMINAL),
    Row(method="GET", path="/v1/terminal/{id}/output", operation=terminals.READ_TERMINAL),
    Row(method="GET", path="/v1/terminal/{id}/search", operation=kept.SEARCH_TERMINAL),
    Row(method="POST", path="/v1/terminal/{id}/answer", operation=answers.ANSWER_PROMPT),
    Row(method="GET", path="/v1/terminal/{id}/files", operation=files.LIST_FILES),
    Row(method="GET", path="/v1/terminal/{id}/files/content", operation=files.READ_FILE),
    Row(
        method="PUT",
        path="/v1/terminal/{id}/files/content",
        operation=files.WRITE_FILE,
        nul=True,
        body_limit=_file_limit,
    ),
)
