from pathlib import Path

from tests.support.http_gateway import MODEL, surface


async def test_changes_are_on_record_with_their_request(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        headers = {"x-request-id": "audited-1"}
        await made.http.post("/v1/models", json=MODEL, headers=headers)
        await made.http.post("/v1/models", json=MODEL)
        entries = (await made.http.get("/v1/audit?action=add_model&limit=10")).json()["entries"]
        assert [entry["outcome"] for entry in entries] == ["model_exists", "ok"]
        assert entries[1]["requestId"] == "audited-1"
        assert entries[1]["address"] == "127.0.0.1"
        older = (await made.http.get(f"/v1/audit?cursor={entries[0]['sequence']}")).json()["entries"]
        assert older[0]["sequence"] < entries[0]["sequence"]
        assert (await made.http.get("/v1/audit/verify")).json()["valid"] is True
