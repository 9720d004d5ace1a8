"""How MCP clients that were refused learn what they need, as RFC 9728 has it."""

from pathlib import Path

import pytest

from tests.support.http_gateway import surface
from tests.support.http_stack import BASE_URL


@pytest.mark.parametrize(
    ("method", "path", "resource"),
    [("POST", "/mcp", "/mcp"), ("POST", "/mcp/", "/mcp"), ("GET", "/sse", "/sse"), ("POST", "/messages/", "/sse")],
)
async def test_a_refused_mcp_client_is_led_to_the_metadata(
    tmp_path: Path, method: str, path: str, resource: str
) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        for headers in ({}, {"authorization": "Bearer mgw_made-up"}, {"x-api-key": "eyJ.a.b"}):
            refused = await made.http.request(method, path, headers=headers)
            assert refused.status_code == 401
            scheme, _, name = refused.headers["www-authenticate"].partition(" resource_metadata=")
            assert scheme == "Bearer"
            assert name == f'"{BASE_URL}/.well-known/oauth-protected-resource{resource}"'
        found = await made.http.get(name.strip('"'))
        assert found.status_code == 200
        assert found.json()["resource"] == BASE_URL + resource
        assert found.json()["bearer_methods_supported"] == ["header"]
        assert "terminal" in found.json()["scopes_supported"]


async def test_the_metadata_names_the_host_that_the_client_has_reached(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required", allowed_hosts="gateway.test") as made:
        path = "/.well-known/oauth-protected-resource"
        named = await made.http.get(path, headers={"host": "gateway.test:8080"})
        assert named.json()["resource"] == "http://gateway.test:8080"
        assert (await made.http.get(path, headers={"host": "evil.test"})).status_code == 421


@pytest.mark.parametrize(("proxies", "scheme"), [("127.0.0.1", "https"), ("192.0.2.1", "http"), ("", "http")])
async def test_only_a_trusted_proxy_may_say_that_clients_use_tls(tmp_path: Path, proxies: str, scheme: str) -> None:
    async with surface(tmp_path, auth_mode="required", trusted_proxies=proxies) as made:
        refused = await made.http.post("/mcp", headers={"x-forwarded-proto": "https"})
        assert f'resource_metadata="{scheme}://' in refused.headers["www-authenticate"]
