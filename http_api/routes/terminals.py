"""Terminal sessions, commands, and saved connections. The live terminal over a WebSocket is in terminal_socket."""

from http_api.binding import Row
from shared.operations import answers, connections, files, terminals

ROWS = (
    Row(method="POST", path="/v1/terminal/sessions", operation=terminals.OPEN_TERMINAL, status=201),
    Row(method="GET", path="/v1/terminal/sessions", operation=terminals.LIST_TERMINALS),
    Row(method="GET", path="/v1/terminal/connections", operation=connections.LIST_CONNECTIONS),
    Row(method="POST", path="/v1/terminal/connections", operation=connections.CREATE_CONNECTION, status=201),
    Row(method="GET", path="/v1/terminal/connections/{id}", operation=connections.GET_CONNECTION),
    Row(method="PUT", path="/v1/terminal/connections/{id}", operation=connections.UPDATE_CONNECTION),
    Row(method="DELETE", path="/v1/terminal/connections/{id}", operation=connections.DELETE_CONNECTION),
    Row(method="POST", path="/v1/terminal/connections/{id}/connect", operation=connections.CONNECT_SAVED, status=201),
    Row(method="GET", path="/v1/terminal/{id}", operation=terminals.GET_TERMINAL),
    Row(method="DELETE", path="/v1/terminal/{id}", operation=terminals.CLOSE_TERMINAL),
    Row(method="POST", path="/v1/terminal/{id}/execute", operation=terminals.EXECUTE_COMMAND, nul=True),
    Row(method="POST", path="/v1/terminal/{id}/send", operation=terminals.SEND_TO_TERMINAL, nul=True),
    Row(method="POST", path="/v1/terminal/{id}/signal", operation=terminals.SIGNAL_TERMINAL),
    Row(method="POST", path="/v1/terminal/{id}/resize", operation=terminals.RESIZE_TERMINAL),
    Row(method="GET", path="/v1/terminal/{id}/output", operation=terminals.READ_TERMINAL),
    Row(method="POST", path="/v1/terminal/{id}/answer", operation=answers.ANSWER_PROMPT),
    Row(method="GET", path="/v1/terminal/{id}/files", operation=files.LIST_FILES),
    Row(method="GET", path="/v1/terminal/{id}/files/content", operation=files.READ_FILE),
    Row(
        method="PUT",
        path="/v1/terminal/{id}/files/content",
        operation=files.WRITE_FILE,
        nul=True,
        body_limit=lambda settings: settings.terminal_max_file_bytes * 4 // 3 + 64 * 1024,
    ),
)
