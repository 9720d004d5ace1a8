"""Addresses that can be of use, and those that could never match anything."""

import pytest

from shared.domain.addresses import check_database, check_hosts, check_origins, check_proxies


@pytest.mark.parametrize(
    "host", ["gateway.example.com", "Gateway", "my_host", "10.0.0.5", "::1", "[fe80::1]", "bücher.example"]
)
def test_a_name_as_the_host_header_has_it_is_taken(host: str) -> None:
    check_hosts([host])


@pytest.mark.parametrize(
    "host",
    [
        "https://gateway.example.com",
        "gateway.example.com:443",
        "*",
        "*.example.com",
        "a b",
        "a/b",
        "[::1]:3000",
        "ü" * 80,
    ],
)
def test_what_no_host_header_can_be_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"gateway\.example\.com"):
        check_hosts(["good.example.com", host])


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com", "https://App.Example.com/", "http://localhost:5173", "http://[::1]:5173", "null",
        "chrome-extension://abcdef", "https://xn--bcher-kva.example",
    ],
)  # fmt: skip
def test_an_origin_as_a_browser_sends_it_is_taken(origin: str) -> None:
    check_origins([origin])


@pytest.mark.parametrize(
    "origin",
    [
        "app.example.com", "*", "https://*.example.com", "https://app.example.com/path", "https://bücher.example",
        "https://app.example.com:443", "http://app.example.com:80/", "https://user@app.example.com",
    ],
)  # fmt: skip
def test_what_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match=r"https://app\.example\.com"):
        check_origins(["https://good.example.com", origin])


@pytest.mark.parametrize("proxy", ["10.0.0.5", "10.0.0.5/8", "::1", "fd00::/8"])
def test_an_address_or_a_network_is_a_proxy(proxy: str) -> None:
    check_proxies([proxy])


@pytest.mark.parametrize("proxy", ["proxy.example.com", "10.0.0.5:80", "*", "10.0.0.0/99"])
def test_a_proxy_by_name_is_refused(proxy: str) -> None:
    with pytest.raises(ValueError, match="names are not looked up"):
        check_proxies(["127.0.0.1", proxy])


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///relative.db", "sqlite:////absolute/path.db", "postgres://h/d", "postgresql://user:p:/w@h:5432/d",
        "postgresql+psycopg:///d?host=/run/postgresql", "postgresql://u@[::1]:5432/d?sslmode=require",
    ],
)  # fmt: skip
def test_a_file_or_a_server_is_a_database(url: str) -> None:
    check_database(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true", "sqlite://host/file",
        "sqlite:///file:x?mode=memory&uri=true", "sqlite:///?timeout=1", "postgresql://host:port/name", "mysql://h/d", "x",
    ],
)  # fmt: skip
def test_what_is_no_database_of_a_gateway_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///path/to/file"):
        check_database(url)
