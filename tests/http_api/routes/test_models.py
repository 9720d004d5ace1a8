from pathlib import Path

from tests.support.http_gateway import MODEL, surface
from tests.support.http_stack import error_of


async def test_the_life_of_a_model(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        http = made.http
        created = await http.post("/v1/models", json=MODEL)
        assert created.status_code == 201
        assert created.json()["success"] is True
        assert (await http.post("/v1/models", json=MODEL)).status_code == 409
        for path in ("/v1/models/scripted/scripted", "/v1/models/scripted%2Fscripted"):
            assert (await http.get(path)).json()["apiModelName"] == "scripted"
            changed = await http.put(path, json={"priority": 7})
            assert changed.json()["model"]["priority"] == 7
        layers = (await http.get("/v1/models/layers")).json()["layers"]
        assert set(layers) == {"L0", "L1", "L2", "L3"}
        assert "scripted/scripted" in [model["id"] for model in layers["L0"]["models"]]
        deleted = await http.delete("/v1/models/scripted%2Fscripted")
        assert deleted.json() == {"success": True, "modelId": "scripted/scripted"}
        assert (await http.get("/v1/models/scripted%2Fscripted")).status_code == 404


async def test_a_layer_is_turned_off_and_on_without_touching_its_models(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json={**MODEL, "enabled": False})
        off = await made.http.put("/v1/layers/L0/toggle", json={"enabled": False})
        assert off.status_code == 200
        assert off.json()["state"]["enabled"] is False
        state = (await made.http.put("/v1/layers/L0/toggle", json={"enabled": True})).json()["state"]
        enabled = {model["id"]: model["enabled"] for model in state["models"]}
        assert enabled.pop(MODEL["id"]) is False
        assert all(enabled.values())


async def test_a_layer_is_put_in_order(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        for name in ("a", "b"):
            await made.http.post("/v1/models", json={**MODEL, "id": name, "layer": "L3"})
        answer = await made.http.put("/v1/layers/L3/reorder", json={"modelIds": ["b", "a"]})
        assert [model["id"] for model in answer.json()["state"]["models"]][:2] == ["b", "a"]
        layers = (await made.http.get("/v1/models/layers")).json()["layers"]
        assert [model["id"] for model in layers["L3"]["models"]][:2] == ["b", "a"]


async def test_the_list_is_filtered_by_text_from_the_query(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json={**MODEL, "enabled": False})
        listed = (await made.http.get("/v1/models?layer=L0&provider=openai&enabled=false")).json()
        assert [model["id"] for model in listed["data"]] == [MODEL["id"]]
        assert listed["object"] == "list"
        whole = (await made.http.get("/v1/models")).json()["data"]
        assert whole[0]["id"] == "auto"
        assert whole[0]["virtual"] is True


async def test_a_word_of_the_router_is_no_id(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        for name in ("auto", "L0", "layers"):
            answer = await made.http.post("/v1/models", json={**MODEL, "id": name})
            assert answer.status_code in (400, 409), name
            assert error_of(answer)["error"]


async def test_query_parameters_of_other_apis_are_ignored(tmp_path: Path) -> None:
    async with surface(tmp_path) as there:
        plain = (await there.http.get("/v1/models")).json()
        asked = {"page_size": "20", "include": "x", "api-version": "2026-01-01"}
        assert (await there.http.get("/v1/models", params=asked)).json() == plain
        one = plain["data"][1]["id"]
        assert (await there.http.get(f"/v1/models/{one}", params=asked)).json() == plain["data"][1]
        assert (await there.http.get("/v1/models", params={**asked, "layer": "L9"})).status_code == 400


async def test_a_changed_model_is_shown_as_the_list_shows_it(tmp_path: Path) -> None:
    async with surface(tmp_path) as there:
        body = {"id": "mine", "provider": "openai", "apiModelName": "mine", "layer": "L0"}
        added = (await there.http.post("/v1/models", json=body)).json()["model"]
        assert (added["object"], added["owned_by"]) == ("model", "openai")
        assert added == (await there.http.get("/v1/models/mine")).json()
        changed = (await there.http.put("/v1/models/mine", json={"priority": 3})).json()["model"]
        assert changed == {**added, "priority": 3} == (await there.http.get("/v1/models/mine")).json()
