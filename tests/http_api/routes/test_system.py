from pathlib import Path

from tests.support.http_gateway import surface


async def test_health_shows_what_the_contract_names(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        answer = await made.http.get("/health")
        report = answer.json()
        assert answer.status_code == 200
        assert report["status"] in ("ok", "degraded")
        assert (report["redis"], report["redisConfigured"], report["database"]) == (False, False, True)
        assert {"openai", "anthropic", "openrouter", "oss-local"} <= set(report["providers"])
        assert set(report["layers"]) == {"L0", "L1", "L2", "L3"}
        assert report["configuration"]["defaultLayer"] == "L0"
        assert report["timestamp"].endswith("Z")
        assert (report["processes"]["most"], report["processes"]["heldBy"] in ("cgroup", "count")) == (512, True)
