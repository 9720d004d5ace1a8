"""Whose a connection is: what the kernel's tables say, and what it says of real sockets."""

import os
import socket
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from shared.security.local_peers import LocalPeers
from shared.security.socket_tables import Peer, answered, find, peer_of, question

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
        assert LocalPeers().whose(*ends) == "own"
        assert LocalPeers(uid=os.getuid() + 1).whose(*ends) == ("own" if os.getuid() == 0 else "other")
        client.close()
        accepted.close()
        assert LocalPeers().whose(*ends) == "gone"


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
    assert LocalPeers(proc=tmp_path).whose(("127.0.0.1", 1), ("127.0.0.1", 2)) == "gone"
