from pathlib import Path

from http_api.gauges import gauges_of
from tests.support.http_gateway import MODEL, surface


async def test_metrics_know_the_core(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=MODEL)
        hello = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
        assert (await made.http.post("/v1/chat/completions", json=hello)).status_code == 200
        text = (await made.http.get("/metrics")).text
        assert "gateway_database_up 1.0" in text
        assert 'gateway_attempts{name="scripted/scripted"} 1.0' in text
        assert 'gateway_http_requests_total{method="POST",path="/v1/chat/completions",status="200"} 1.0' in text


async def test_every_gauge_has_a_number_from_the_start(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        found = {name: values for name, _, values in gauges_of(made.gateway)}
    assert found["gateway_database_up"] == {"": 1.0}
    assert found["gateway_terminal_sessions"] == {"": 0.0}
    assert found["gateway_models"][""] > 10
    assert found["gateway_attempts"] == {}
    assert set(found["gateway_provider_healthy"]) >= {"openai", "oss-local"}
