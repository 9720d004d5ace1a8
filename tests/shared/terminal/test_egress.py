"""The way out of a sandbox: real commands in bubblewrap that reach the listed hosts, and no other."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from shared.domain.egress import AllowedHosts
from shared.domain.targets import LocalTarget
from shared.errors import Forbidden, GatewayError, TerminalError, Unavailable
from shared.terminal import addresses, egress
from shared.terminal.egress import PROXY_PORT, Asked, Egress, RefusedConnection, Way
from shared.terminal.keeper import confinement
from shared.terminal.sandbox import Rules, Sandbox, SandboxMode
from shared.terminal.sandbox_trial import find_sandbox
from tests.support.terminals import Terminal, make_sessions, opened

NAMES = {
    "allowed.test": "127.0.0.1",
    "private.test": "10.255.255.1",
    "metadata.test": "169.254.169.254",
    "sub.pattern.test": "10.255.255.1",
}


class Upstream:
    """A server on this machine's loopback that answers with what it was asked."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        length = next((int(line[16:]) for line in head.split("\r\n") if line.lower().startswith("content-length: ")), 0)
        body = await reader.readexactly(length)
        answer = b"served " + head.split(" ")[1].encode() + body
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    found = Upstream()
    async with await asyncio.start_server(found.answer, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which names were looked up; those of NAMES lead somewhere."""
    asked: list[str] = []
    real = addresses.resolve

    async def resolve(host: str, port: int) -> list[addresses.Address]:
        asked.append(host)
        return [ip_address(NAMES[host])] if host in NAMES else await real(host, port)

    monkeypatch.setattr(addresses, "resolve", resolve)
    return asked


def listed(*entries: str) -> Rules:
    return Rules(network=False, hosts=AllowedHosts.parse(entries))


class Told(list[RefusedConnection]):
    """What was told of refused connections."""

    async def note(self, refused: RefusedConnection) -> None:
        self.append(refused)


@asynccontextmanager
async def let_out(
    folder: Path, *entries: str, told: Told | None = None, owner: str = "owner"
) -> AsyncIterator[Terminal]:
    """A session in a sandbox that lists these."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    try:
        sandbox = await find_sandbox("auto", listed(*entries))
    except Unavailable as error:
        pytest.skip(error.message)
    assert sandbox.rules.hosts is not None
    way_out = Egress(sandbox.rules.hosts, tell=None if told is None else told.note)
    async with (
        make_sessions(folder, sandbox=sandbox, egress=way_out) as sessions,
        opened(sessions, owner=owner) as found,
    ):
        yield found


async def test_a_listed_host_is_reached_through_a_tunnel_and_plainly(
    tmp_path: Path, upstream: Upstream, names: list[str]
) -> None:
    at = f"allowed.test:{upstream.port}"
    async with let_out(tmp_path, at, f"127.0.0.1:{upstream.port}") as terminal:
        plain = await terminal.run(f"curl -sS 'http://{at}/path?q=1' -d body")
        assert (plain.stdout, plain.exit_code, plain.notice) == ("served /path?q=1body", 0, None), plain.stderr
        tunnel = await terminal.run(f"curl -sS -p http://{at}/tunnelled")
        assert (tunnel.stdout, tunnel.exit_code) == ("served /tunnelled", 0), tunnel.stderr
    assert f"Host: {at}\r\n" in upstream.heads[0]
    assert "proxy" not in upstream.heads[0].lower()


async def test_another_host_is_refused_and_the_result_names_it_and_the_setting(
    tmp_path: Path, names: list[str]
) -> None:
    told = Told()
    async with let_out(tmp_path, "github.com", told=told) as terminal:
        refused = await terminal.run("curl -sS https://evil.example/x https://evil.example:8443/")
        assert refused.exit_code != 0
        assert "evil.example:443" in (refused.notice or "")
        assert "evil.example:8443" in (refused.notice or "")
        assert "TERMINAL_NETWORK" in (refused.notice or "")
        body = await terminal.run("curl -s http://evil.example/")
        assert "TERMINAL_NETWORK does not list it" in body.stdout
        assert (await terminal.run("echo fine")).notice is None
    assert names == []  # a name that is not listed is not even looked up
    assert [(one.host, one.port, one.owner) for one in told] == [
        ("evil.example", 443, "owner"),
        ("evil.example", 8443, "owner"),
        ("evil.example", 80, "owner"),
    ]
    assert "curl" in (told[0].command or "")


async def test_no_way_leads_past_the_proxy(tmp_path: Path, upstream: Upstream) -> None:
    past = f"import socket; socket.create_connection(('127.0.0.1', {upstream.port}), 2)"
    named = "import socket; socket.getaddrinfo('github.com', 443)"
    datagram = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('8.8.8.8', 53))"
    async with let_out(tmp_path, "github.com") as terminal:
        for attempt in (past, named, datagram):
            assert (await terminal.run(f'{sys.executable} -I -S -c "{attempt}"')).exit_code == 1
        aside = await terminal.run("curl -sS --noproxy '*' https://github.com/")
        assert "HTTPS_PROXY" in (aside.notice or "")
        assert "github.com" in (aside.notice or "")
        taken = f"import socket; socket.create_server(('127.0.0.1', {PROXY_PORT}))"
        assert (await terminal.run(f'{sys.executable} -I -S -c "{taken}"')).exit_code == 1


async def test_a_listed_service_on_loopback_is_at_its_own_port(tmp_path: Path, upstream: Upstream) -> None:
    fetch = "curl -sS --noproxy '*' http://127.0.0.1"
    async with let_out(tmp_path, f"localhost:{upstream.port}") as terminal:
        assert (await terminal.run(f"{fetch}:{upstream.port}/here")).stdout == "served /here"
        other = await terminal.run(f"{fetch}:{upstream.port + 1}/")
        assert other.exit_code == 7
        assert "a loopback of its own" in (other.notice or "")


async def test_the_sandbox_has_a_loopback_of_its_own(tmp_path: Path) -> None:
    serve = "import socket; s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); print('joined')"
    async with let_out(tmp_path, "github.com") as terminal:
        assert (await terminal.run(f'{sys.executable} -I -S -c "{serve}"')).stdout == "joined\n"


async def test_programs_find_the_proxy_in_terminals_and_commands(tmp_path: Path) -> None:
    async with let_out(tmp_path, "github.com") as terminal:
        found = (await terminal.run("echo $HTTP_PROXY $https_proxy")).stdout.split()
        assert found[0] == found[1]
        assert found[0].endswith(f":{PROXY_PORT}")
        await terminal.session.send("echo =$HTTPS_PROXY=\n")
        await terminal.shows(f"={found[0]}=")


async def test_sessions_of_one_owner_are_told_their_own_refusals(tmp_path: Path) -> None:
    async with let_out(tmp_path, "github.com") as one, opened(one.sessions) as other:
        first, second = await asyncio.gather(
            one.run("curl -s https://a.example"), other.run("curl -s https://b.example")
        )
        assert "a.example" in (first.notice or "")
        assert "b.example" not in (first.notice or "")
        assert "b.example" in (second.notice or "")


async def test_another_owners_address_is_not_told_apart(tmp_path: Path) -> None:
    async with let_out(tmp_path, "github.com") as one, opened(one.sessions, owner="another") as other:
        proxy = (await other.run("echo $HTTPS_PROXY")).stdout.strip()
        waiting = asyncio.ensure_future(other.run("read line; echo $line", stdin=None))
        await one.run(f"curl -s -x {proxy} https://a.example")
        assert (await waiting).notice is None


async def test_what_the_proxy_cannot_read_is_told(tmp_path: Path) -> None:
    async with let_out(tmp_path, "github.com") as terminal:
        spoken = "exec 3<>/dev/tcp/127.0.0.1/%d; printf '%s' >&3; cat <&3"
        for words in (r"nonsense\r\n\r\n", r"GET / HTTP/1.1\r\n\r\n", r"CONNECT github.com HTTP/1.1\r\n\r\n"):
            result = await terminal.run(spoken.replace("%d", str(PROXY_PORT)).replace("%s", words))
            assert "400 Bad Request" in result.stdout
        gone = await terminal.run("curl -s -p http://github.com:1/")
        assert "github.com:1" in (gone.notice or "")


async def test_a_host_that_does_not_answer_is_told_by_the_proxy(
    tmp_path: Path, names: list[str], upstream: Upstream
) -> None:
    async with let_out(tmp_path, "127.0.0.1:1") as terminal:
        result = await terminal.run("curl -s --noproxy x http://127.0.0.1:1/")
        assert "Nothing listens on 127.0.0.1:1" in result.stdout
        assert result.notice is None


@pytest.mark.parametrize(
    ("entries", "host", "why"),
    [
        (["*:1"], "10.255.255.1", "private"),
        (["*:1"], "127.0.0.1", "loopback"),
        (["allowed.test:1"], "10.255.255.1", "does not list"),
        (["*:1"], "private.test", "private"),
        (["*.pattern.test:1"], "sub.pattern.test", "private"),
        (["*:1"], "allowed.test", "loopback"),
        (["allowed.test:1"], "allowed.test", "loopback"),
        (["metadata.test:1"], "metadata.test", "metadata"),
        (["metadata.test:1", "0.0.0.0/0:1"], "metadata.test", "metadata"),
        (["0.0.0.0/0:1"], "127.0.0.1", "loopback"),
        (["[::/0]:1"], "::ffff:127.0.0.1", "loopback"),
        (["[::/0]:1"], "::1", "loopback"),
        (["[::/0]:1"], "64:ff9b::a9fe:a9fe", "metadata"),
    ],
)
async def test_addresses_that_lead_inside_have_to_be_listed_as_such(
    names: list[str], entries: list[str], host: str, why: str
) -> None:
    way_out = Egress(AllowedHosts.parse(entries))
    with pytest.raises(Forbidden, match=why):
        await way_out.connect(Way("owner", ""), host, 1)


@pytest.mark.parametrize(
    ("entries", "host"),
    [
        (["127.0.0.1:1"], "127.0.0.1"),
        (["127.0.0.0/8:1"], "127.0.0.1"),
        (["localhost:1"], "localhost"),
        (["allowed.test:1", "127.0.0.1:1"], "allowed.test"),
        (["*:1", "127.0.0.1:1"], "allowed.test"),
    ],
)
async def test_addresses_that_are_listed_as_such_are_reached(names: list[str], entries: list[str], host: str) -> None:
    with pytest.raises(TerminalError, match="Nothing listens"):  # so it was tried
        await Egress(AllowedHosts.parse(entries)).connect(Way("owner", ""), host, 1)


async def test_the_gateway_itself_is_never_reached() -> None:
    way_out = Egress(AllowedHosts.parse(["localhost:1", "127.0.0.1:1"]), own_ports={1})
    for host in ("localhost", "127.0.0.1"):
        with pytest.raises(Forbidden, match="gateway itself"):
            await way_out.connect(Way("owner", ""), host, 1)


async def test_a_private_address_is_reached_by_a_name_that_is_listed_in_full(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[str] = []

    async def connect(address: addresses.Address, port: int) -> object:
        reached.append(str(address))
        return object()

    monkeypatch.setattr(addresses, "_connect", connect)
    await Egress(AllowedHosts.parse(["private.test:1"])).connect(Way("owner", ""), "private.test", 1)
    assert reached == ["10.255.255.1"]


async def test_a_flood_of_refusals_is_told_in_part() -> None:
    told, way = Told(), Way("owner", "")
    way_out = Egress(AllowedHosts.parse(["github.com"]), tell=told.note)
    for number in range(egress.MOST_REFUSALS + 20):
        with pytest.raises(Forbidden):
            await way_out.connect(way, f"h{number}.example", 443)
    await way_out.aclose()
    assert len(told) == len(way.refused) == egress.MOST_REFUSALS
    assert "and 44 more" in (way.told() or "")


@pytest.mark.parametrize("bound", ["MOST_CONNECTIONS", "MOST_IN_ALL"])
async def test_connections_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(egress, bound, 2)
    hold = "import socket; h = [socket.create_connection(('127.0.0.1', %d)) for _ in range(5)]; print([s.recv(1) for s in h[2:]])"
    async with let_out(tmp_path, "github.com") as terminal:
        result = await terminal.run(f'{sys.executable} -I -S -c "{hold % PROXY_PORT}"')
        assert result.stdout == "[b'', b'', b'']\n", result.stderr


@pytest.mark.parametrize(
    ("head", "asked"),
    [
        (b"CONNECT a.example:443 HTTP/1.1\r\nHost: b\r\n\r\n", Asked("a.example", 443)),
        (b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n", Asked("::1", 443)),
        (
            b"GET http://user@a.example HTTP/1.1\r\nHost: other\r\nProxy-Authorization: x\r\nA: b\r\n\r\n",
            Asked("a.example", 80, b"GET / HTTP/1.1\r\nHost: a.example\r\nA: b\r\nConnection: close\r\n\r\n"),
        ),
        (
            b"GET http://[::1]:81/?q HTTP/1.0\r\n\r\n",
            Asked("::1", 81, b"GET /?q HTTP/1.1\r\nHost: [::1]:81\r\nConnection: close\r\n\r\n"),
        ),
    ],
)
def test_what_is_asked_of_the_proxy_is_read(head: bytes, asked: Asked) -> None:
    assert Asked.of(head) == asked


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET /",
        b"CONNECT :443 HTTP/1.1",
        b"CONNECT a.example:x HTTP/1.1",
        b"CONNECT a.example:70000 HTTP/1.1",
        b"CONNECT 127.1:443 HTTP/1.1",
        b"CONNECT a\xff.example:443 HTTP/1.1",
        b"CONNECT a\x00.example:443 HTTP/1.1",
        b"GET https://a.example/ HTTP/1.1",
        b"GET http://a.example:x/ HTTP/1.1",
        b"GET http://a.example/ HTTP/2",
        b"PRI * HTTP/1.1",
    ],
)
def test_what_is_no_request_for_a_proxy_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each part has words of its own
        Asked.of(line + b"\r\n\r\n")


@pytest.mark.parametrize("mode", ["auto", "required", "off"])
async def test_a_list_that_cannot_be_held_refuses(mode: SandboxMode, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **more: None if name == "bwrap" else real(name, **more))
    monkeypatch.setattr(confinement, "landlock_version", lambda: 7)
    with pytest.raises(Unavailable, match="TERMINAL_NETWORK lists hosts") as refused:
        await find_sandbox(mode, listed("github.com"))
    assert refused.value.code == "no_sandbox"


async def test_a_sandbox_without_a_proxy_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho no namespaces >&2; exit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    sandbox = Sandbox(kind="bwrap", rules=listed("github.com"), bwrap=str(tmp_path / "bwrap"))
    assert sandbox.rules.hosts is not None
    async with (
        make_sessions(tmp_path, sandbox=sandbox, egress=Egress(sandbox.rules.hosts)) as sessions,
        opened(sessions, LocalTarget()) as terminal,
    ):
        with pytest.raises(GatewayError, match="could not be started"):
            await terminal.run("true")
