from pathlib import Path

from tests.support.http_gateway import surface


async def test_the_life_of_a_key(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        http, admin = made.http, {"authorization": f"Bearer {await made.login()}"}
        asked = {"name": "ci", "scopes": ["models:read"], "rateLimitPerHour": 5}
        created = await http.post("/v1/keys", json=asked, headers=admin)
        assert created.status_code == 201
        secret, key = created.json()["secret"], created.json()["key"]
        answer = await http.get("/v1/models", headers={"authorization": f"Bearer {secret}"})
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit"] == "5"
        listed = await http.get("/v1/keys", headers=admin)
        assert [item["name"] for item in listed.json()["keys"]] == ["ci"]
        assert secret not in listed.text
        deleted = await http.delete(f"/v1/keys/{key['id']}", headers=admin)
        assert deleted.json() == {"success": True, "keyId": key["id"]}
        assert (await http.get("/v1/models", headers={"authorization": f"Bearer {secret}"})).status_code == 401


async def test_what_a_key_may_not_do_is_in_the_audit_trail(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        http, admin = made.http, {"authorization": f"Bearer {await made.login()}"}
        created = await http.post("/v1/keys", json={"name": "ci", "scopes": ["chat"]}, headers=admin)
        key = {"x-api-key": created.json()["secret"]}
        for method, path in (("GET", "/v1/keys"), ("POST", "/v1/terminal/sessions"), ("GET", "/v1/keys")):
            assert (await http.request(method, path, headers=key)).status_code in (403, 415)
        assert (await http.get("/v1/keys")).status_code == 401
        asked = {"caller": created.json()["key"]["id"], "outcome": "forbidden"}
        entries = (await http.get("/v1/audit", params=asked, headers=admin)).json()["entries"]
        assert {entry["action"] for entry in entries} >= {"list_keys"}
        assert entries[0]["details"] == {"scope": "admin"}
        assert len((await http.get("/v1/audit", headers=admin)).json()["entries"]) == len(entries) + 2
