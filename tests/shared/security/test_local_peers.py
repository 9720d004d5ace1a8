"""Whose a connection is: what the kernel's tables say, and what it says of real sockets."""

import os
import socket
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from shared.security.local_peers import UNKNOWN, LocalPeers, Owner
from shared.security.socket_tables import Peer, answered, find, is_of_this_machine, peer_of, question

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a connection is")

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(local: str, remote: str, uid: int, inode: int, state: str = "01") -> str:
    return f"   1: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {uid:5d}        0 {inode} 1 0 20 4 30 10 -1\n"


@pytest.mark.skipif(sys.byteorder != "little", reason="the rows here are those of such machines")
@pytest.mark.parametrize(
    ("client", "server", "local", "remote"),
    [
        ("127.0.0.1", "127.0.0.1", "0100007F:C350", "0100007F:0BB8"),
        ("127.0.0.2", "127.0.0.1", "0200007F:C350", "0100007F:0BB8"),
        ("127.0.0.1", "127.0.0.1", "0000000000000000FFFF00000100007F:C350", "0000000000000000FFFF00000100007F:0BB8"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "0100007F:C350", "0100007F:0BB8"),
        ("::1", "::1", "00000000000000000000000001000000:C350", "00000000000000000000000001000000:0BB8"),
    ],
)
def test_the_clients_own_row_is_found(client: str, server: str, local: str, remote: str) -> None:
    table = (
        HEAD
        + row(remote, local, 1, 11)
        + row(local, remote, 1000, 4711)
        + row(local, remote.replace("B8", "B9"), 2, 12)
    )
    assert find(table.encode(), (client, 50000), (server, 3000)) == Peer(1000, 4711)
    assert find(table.encode(), (client, 50001), (server, 3000)) is None


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_socket_of_this_process_is_its_own_until_it_is_closed(family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("there is no such loopback here")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        accepted, _ = server.accept()
        ends = client.getsockname()[:2], server.getsockname()[:2]
        assert LocalPeers().owner_of(*ends).whose == "own"
        theirs = LocalPeers(uid=os.getuid() + 1).owner_of(*ends)
        assert theirs == Owner("own" if os.getuid() == 0 else "other", os.getuid())
        client.close()
        accepted.close()
        assert LocalPeers().owner_of(*ends) == UNKNOWN


def test_the_text_tells_the_same_as_the_kernel_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        asked = peer_of(client.getsockname(), server.getsockname())
        assert asked == Peer(os.getuid(), os.fstat(client.fileno()).st_ino)
        monkeypatch.setattr(socket, "AF_NETLINK", 250)  # of which there is none
        assert peer_of(client.getsockname(), server.getsockname()) == asked


def test_an_error_of_the_kernel_is_no_answer() -> None:
    asked = question(ip_address("127.0.0.1"), ip_address("127.0.0.1"), 1, 2)
    assert answered(b"", asked) is None
    assert answered(bytes(200), asked) is None


def test_one_that_listens_on_the_same_port_is_another_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert peer_of(server.getsockname(), ("127.0.0.1", 9)) is None


def test_whether_it_works_here_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert LocalPeers().works()
    monkeypatch.setattr(socket, "AF_NETLINK", 250)
    assert LocalPeers().works()
    assert not LocalPeers(proc=tmp_path).works()


def test_where_nothing_is_told_nobody_is_trusted(tmp_path: Path) -> None:
    for client in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert LocalPeers(proc=tmp_path).owner_of((client, 1), (client, 2)) == UNKNOWN


def test_a_peer_on_loopback_or_with_an_address_of_this_machine_is_never_another_machine() -> None:
    assert is_of_this_machine(("192.0.2.77", 1), ("127.0.0.1", 2))
    assert is_of_this_machine(("127.0.0.1", 1), ("192.0.2.77", 2))
    assert is_of_this_machine(("::ffff:127.0.0.9", 1), ("192.0.2.77", 2))
    assert is_of_this_machine(("192.0.2.77", 1), ("192.0.2.77", 2))
    assert not is_of_this_machine(("203.0.113.77", 1), ("192.0.2.77", 2))
    assert not is_of_this_machine(("2001:db8::77", 1), ("2001:db8::78", 2))


def test_a_connection_that_has_only_begun_belongs_to_nobody() -> None:
    table = HEAD + row("0100007F:C350", "0100007F:0BB8", 1000, 4711, state="02")
    assert find(table.encode(), ("127.0.0.1", 50000), ("127.0.0.1", 3000)) is None


MARKED = """
import os, sys
from shared.terminal.keeper.mark import mark
mark()
if os.fork():
    os._exit(0)
os.setsid()
os.environ.clear()
os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", sys.argv[1], *sys.argv[2:]])
"""
CONNECT = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as there:
    there.recv(1)
"""


def test_a_mark_outlives_parents_session_and_environment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        subprocess.run([sys.executable, "-c", MARKED, CONNECT, str(server.getsockname()[1])], check=True, timeout=10)
        accepted, client = server.accept()
        with accepted:
            assert LocalPeers().owner_of(client, accepted.getsockname()) == Owner("command", os.getuid())
