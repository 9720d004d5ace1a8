"""The list of hosts that sandboxed commands may reach: what may be written, and what it lists."""

from ipaddress import ip_address

import pytest

from shared.domain.egress import AllowedHosts, host_of


@pytest.mark.parametrize(
    ("entry", "name", "port", "how"),
    [
        ("github.com", "github.com", 443, "name"),
        ("GitHub.com", "github.com", 80, "name"),
        ("github.com", "github.com", 22, None),
        ("github.com:22", "github.com", 22, "name"),
        ("github.com:22", "github.com", 443, None),
        ("github.com", "evil-github.com", 443, None),
        ("github.com", "api.github.com", 443, None),
        ("*.github.com", "api.github.com", 443, "pattern"),
        ("*.github.com", "a.b.github.com", 443, "pattern"),
        ("*.github.com", "github.com", 443, None),
        ("*.github.com", "evilgithub.com", 443, None),
        ("*", "anything.example", 443, "pattern"),
        ("*:8443", "anything.example", 443, None),
        ("bücher.example", "xn--bcher-kva.example", 443, "name"),
        ("localhost:5432", "localhost", 5432, "name"),
        ("localhost", "localhost", 443, "name"),
        ("intranet:80", "intranet", 80, "name"),
        ("10.0.0.5", "10.0.0.5", 443, None),
    ],
)
def test_a_name_is_listed_in_full_or_by_a_pattern(entry: str, name: str, port: int, how: str | None) -> None:
    assert AllowedHosts.parse([entry]).name(name, port) == how


@pytest.mark.parametrize(
    ("entry", "address", "port", "listed"),
    [
        ("10.0.0.5:5432", "10.0.0.5", 5432, True),
        ("10.0.0.5:5432", "10.0.0.6", 5432, False),
        ("10.0.0.0/8:443", "10.9.9.9", 443, True),
        ("10.0.0.0/8:443", "11.0.0.1", 443, False),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443, True),
        ("2001:db8::1", "2001:db8::1", 443, True),
        ("[2001:db8::/32]:443", "2001:db8:1::1", 443, True),
        ("*", "10.0.0.5", 443, False),
    ],
)
def test_an_address_is_listed_alone_or_in_a_network(entry: str, address: str, port: int, listed: bool) -> None:
    assert AllowedHosts.parse([entry]).address(ip_address(address), port) is listed


@pytest.mark.parametrize(
    "entry",
    [
        "https://github.com",
        "github.com/path",
        "github.com:",
        "github.com:0",
        "github.com:99999",
        "github.com:https",
        "*github.com",
        "a.*.com",
        "*.",
        "127.1",
        "0x7f000001",
        "10.0.0.5/8",
        "[::1",
        "user@github.com",
        "fe80::1%eth0",
        "a b",
        "offf",
    ],
)
def test_what_is_no_entry_is_refused_with_what_to_write(entry: str) -> None:
    with pytest.raises(ValueError, match=r"must be on, off, or hosts such as"):
        AllowedHosts.parse(["github.com", entry])


def test_an_empty_list_and_one_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="must be on, off"):
        AllowedHosts.parse([])
    with pytest.raises(ValueError, match="at most"):
        AllowedHosts.parse(["github.com"] * 1000)


def test_a_name_in_full_goes_before_a_pattern() -> None:
    assert AllowedHosts.parse(["*.corp.example", "db.corp.example"]).name("db.corp.example", 443) == "name"


def test_services_on_loopback_are_told() -> None:
    hosts = AllowedHosts.parse(["localhost:5432", "127.0.0.2:6379", "127.0.0.0/8:1", "10.0.0.1:2", "github.com"])
    assert list(hosts.on_loopback()) == [("localhost", 5432), ("127.0.0.2", 6379)]


def test_hosts_have_one_form() -> None:
    assert host_of("GitHub.COM.") == "github.com"
    assert host_of("[::1]") == "::1"
    with pytest.raises(ValueError, match="not a host"):
        host_of("2130706433")
