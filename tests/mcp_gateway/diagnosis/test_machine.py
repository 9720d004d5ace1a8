"""What `doctor` says of this machine."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mcp_gateway.diagnosis import machine


def test_this_python_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.python().status == "ok"
    monkeypatch.setattr(machine, "OLDEST_PYTHON", (99, 0))
    assert machine.python().status == "fail"


def test_a_data_directory_is_made_and_private(tmp_path: Path) -> None:
    found = machine.data_directory(tmp_path / "new")
    assert found.status == "ok"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (tmp_path / "new").chmod(0o755)
    found = machine.data_directory(tmp_path / "new")
    assert (found.status, found.advice) == ("warn", f"chmod 700 {tmp_path}/new")


def test_a_data_directory_that_cannot_be_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = machine.data_directory(tmp_path / "file")
    assert found.status == "fail"
    assert "DATA_DIR" in found.advice


def test_a_full_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(machine, "LITTLE_SPACE", 2**62)
    assert machine.data_directory(tmp_path).status == "warn"
    monkeypatch.setattr(machine, "NO_SPACE", 2**62)
    assert machine.data_directory(tmp_path).status == "fail"


@pytest.fixture
def other() -> Iterator[HTTPServer]:
    """A server whose answer to anything is `body`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.body)  # type: ignore[attr-defined]

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.body = b"hello"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_port_that_another_program_has_is_told_from_one_that_we_have(other: HTTPServer) -> None:
    port = other.server_address[1]
    found = machine.address("127.0.0.1", int(port), "local")
    assert (found.status, "another program" in found.text) == ("fail", True)
    other.body = json.dumps({"status": "ok", "version": "9.9", "uptimeSeconds": 3}).encode()  # type: ignore[attr-defined]
    found = machine.address("127.0.0.1", int(port), "local")
    assert (found.status, "version 9.9" in found.text) == ("ok", True)


def test_a_free_port_is_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert machine.address("127.0.0.1", port, "local").status == "ok"


def test_an_open_door_to_the_network_is_a_failure() -> None:
    assert machine.address("0.0.0.0", 0, "local").status == "fail"
    assert machine.address("0.0.0.0", 0, "required").status == "ok"
    assert machine.address("203.0.113.7", 0, "required").status == "fail"
