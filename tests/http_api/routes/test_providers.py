from pathlib import Path

from tests.support.http_gateway import surface
from tests.support.http_stack import error_of


async def test_the_life_of_a_provider(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        http = made.http
        given = {"name": "mine", "baseUrl": made.provider.base_url, "apiKey": "sk-very-secret-key"}
        added = await http.post("/v1/providers", json=given)
        assert added.status_code == 201
        assert added.json()["provider"]["hasKey"] is True
        model = {"id": "mine/x", "provider": "mine", "apiModelName": "scripted", "layer": "L1"}
        assert (await http.post("/v1/models", json=model)).status_code == 201
        hello = {"model": "mine/x", "messages": [{"role": "user", "content": "hi"}]}
        answer = await http.post("/v1/chat/completions", json=hello)
        assert answer.headers["x-gateway-provider"] == "mine"
        listed = await http.get("/v1/providers")
        assert "mine" in [item["name"] for item in listed.json()["providers"]]
        off = await http.put("/v1/providers/mine", json={"enabled": False})
        assert off.json()["provider"]["enabled"] is False
        assert (await http.post("/v1/chat/completions", json=hello)).status_code == 503
        assert (await http.delete("/v1/providers/mine")).status_code == 200
        for path in ("/v1/providers", "/v1/audit"):
            assert "sk-very-secret-key" not in (await http.get(path)).text


async def test_an_address_with_a_password_in_it_is_refused(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        given = {"name": "mine", "baseUrl": "http://user:secret@127.0.0.1/v1"}
        answer = await made.http.post("/v1/providers", json=given)
        assert answer.status_code == 400
        assert error_of(answer)["details"]["fields"][0]["field"] == "baseUrl"
        assert "secret" not in answer.text
