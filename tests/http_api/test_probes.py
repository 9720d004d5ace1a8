"""What load balancers ask: whether the process lives, and whether it should get requests."""

from pathlib import Path

import pytest

from shared.domain.models import Model
from shared.operations import system
from shared.storage import model_rows
from tests.support.databases import away
from tests.support.http_gateway import MODEL, surface
from tests.support.http_server import serving

PATHS = ("/livez", "/readyz")


async def test_the_probes_need_neither_credentials_nor_a_known_host(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        for path in PATHS:
            for host in ("10.1.2.3:3000", "gateway.internal", ""):
                answer = await made.http.get(path, headers={"host": host})
                assert answer.status_code == 200, answer.text
            assert (await made.http.head(path)).content == b""
        assert (await made.http.get("/livez")).json() == {"status": "ok"}
        assert (await made.http.get("/health", headers={"host": "10.1.2.3"})).status_code == 421
        assert (await made.http.post("/readyz")).status_code in (401, 404)


async def test_the_server_answers_the_probes_without_a_host_header(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made, serving(made.app) as server:
        for path in PATHS:
            asked = f"GET {path} HTTP/1.0\r\n\r\n".encode()
            assert (await server.exchange(asked))[0] == 200


async def test_while_the_database_is_away_the_gateway_is_degraded_and_answers_chats(
    tmp_path: Path, database_url: str
) -> None:
    async with surface(tmp_path, database_url=database_url) as made:
        await made.http.post("/v1/models", json=MODEL)
        with away(made.gateway.database):
            await made.gateway.database.try_writing()
            hello = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
            assert (await made.http.post("/v1/chat/completions", json=hello)).status_code == 200
            health = await made.http.get("/health")
            assert (health.status_code, health.json()["status"], health.json()["database"]) == (200, "degraded", False)
            ready = await made.http.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
            assert "database" in ready.json()["degraded"]


async def test_a_process_that_is_behind_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with surface(tmp_path) as made:
        monkeypatch.setattr(system, "BEHIND_SECONDS", -1.0)
        answer = await made.http.get("/readyz")
        assert (answer.status_code, answer.json()["status"], answer.json()["reasons"]) == (
            503,
            "not_ready",
            ["refresh"],
        )
        assert (await made.http.get("/livez")).status_code == 200
        assert (await made.http.get("/health")).status_code == 200


async def test_a_process_that_stops_is_not_ready(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        made.app.stop()
        answer = await made.http.get("/readyz")
        assert (answer.status_code, answer.json()["reasons"]) == (503, ["stopping"])


async def test_health_stays_small_with_ten_thousand_models(tmp_path: Path) -> None:
    models = [
        Model(id=f"openai/model-{number}", provider="openai", api_model_name="m", layer="L1")
        for number in range(10_000)
    ]
    async with surface(tmp_path) as made:
        gateway = made.gateway
        await gateway.database.run(lambda session: (model_rows.bump(session), model_rows.put(session, models)))
        await gateway.registry.refresh()
        assert len(gateway.registry.snapshot.models) > 10_000
        answer = await made.http.get("/health")
        assert len(answer.content) < 100_000
