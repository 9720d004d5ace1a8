import re
from pathlib import Path
from typing import Any

from shared.errors import UpstreamOverloaded
from tests.support.http_gateway import MODEL, surface
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
        used = await http.delete("/v1/providers/mine")
        assert (used.status_code, error_of(used)["code"]) == (409, "provider_in_use")
        assert error_of(used)["details"] == {"models": ["mine/x"]}
        assert "mine/x" in error_of(used)["error"]
        assert (await http.delete("/v1/models/mine/x")).status_code == 200
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


async def test_a_key_that_rests_is_told(tmp_path: Path) -> None:
    async with surface(tmp_path, openai_api_key="kbad,kgood,kfine") as made:
        made.provider.refuses = frozenset({"kbad"})

        async def openai() -> dict[str, Any]:
            listed = (await made.http.get("/v1/providers")).json()["providers"]
            return next(state for state in listed if state["name"] == "openai")

        assert (await openai())["keys"] == 3
        await made.http.post("/v1/models", json=MODEL)
        hello = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
        for _ in range(3):
            assert (await made.http.post("/v1/chat/completions", json=hello)).status_code == 200
        detail = (await openai())["detail"]
        assert re.search(r"key 1 of 3 is resting for \d+ s: provider_auth_failed$", detail)
        model = made.gateway.registry.snapshot.models[MODEL["id"]]
        made.gateway.health.failed(model, UpstreamOverloaded("It is full."), 1)
        assert (await openai())["detail"].count("resting") == 1, "that model rests, and its key does not"


async def test_a_stored_key_that_looks_like_nothing_is_masked_wherever_it_turns_up(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        given = {"name": "mine", "baseUrl": made.provider.base_url, "apiKey": "Quux.Plugh.1234"}
        assert (await made.http.post("/v1/providers", json=given)).status_code == 201
        await made.http.post("/v1/keys", json={"name": "for Quux.Plugh.1234"})
        audited = await made.http.get("/v1/audit", params={"action": "create_key"})
        assert audited.json()["entries"][0]["details"]["name"] == "for [redacted]"


async def test_a_provider_that_refuses_its_key_is_not_healthy(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=MODEL)
        hello = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
        assert (await made.http.post("/v1/chat/completions", json=hello)).status_code == 200

        async def healthy() -> bool:
            return bool((await made.http.get("/health")).json()["providers"]["openai"])

        assert await healthy()
        made.provider.refuses = frozenset({"sk-test"})
        assert (await made.http.post("/v1/chat/completions", json=hello)).status_code != 200
        assert not await healthy()
