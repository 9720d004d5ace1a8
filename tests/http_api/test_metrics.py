import httpx
from prometheus_client.parser import text_string_to_metric_families

from http_api import metrics as metrics_module
from http_api.context import Route
from http_api.metrics import Metrics
from tests.support.http_stack import client, layers


async def scrape(metrics: Metrics, accept: str = "text/plain") -> httpx.Response:
    app = layers((Route(path="/metrics", methods={"GET": metrics_module.endpoint(metrics)}),))
    async with client(app) as http:
        return await http.get("/metrics", headers={"accept": accept})


async def test_prometheus_can_read_it() -> None:
    metrics = Metrics(
        lambda: [
            ("gateway_x", "An x.", {"": 1.5}),
            ("gateway_y", "Some y.", {"a": 1, "b": 2}),
            ("gateway_z", "No z.", {}),
        ]
    )
    metrics.answered("GET", "/v1/models", 200, 0.25)
    metrics.chatted(0.3, stream=True)
    answer = await scrape(metrics)
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["gateway_x", ()] == 1.5
    assert samples["gateway_y", (("name", "b"),)] == 2
    labels = (("method", "GET"), ("path", "/v1/models"), ("status", "200"))
    assert samples["gateway_http_requests_total", labels] == 1
    assert samples["gateway_http_seconds_total", labels] == 0.25
    assert samples["gateway_chat_seconds_bucket", (("le", "0.25"), ("stream", "true"))] == 0
    assert samples["gateway_chat_seconds_bucket", (("le", "0.5"), ("stream", "true"))] == 1
    assert samples["gateway_chat_seconds_count", (("stream", "false"),)] == 0


async def test_openmetrics_is_given_to_those_who_ask_for_it() -> None:
    answer = await scrape(Metrics(), "application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_two_applications_do_not_share_their_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.chatted(1, stream=False)
    assert 'gateway_chat_seconds_count{stream="false"} 1.0' in one.exposition("")[0].decode()
    assert 'gateway_chat_seconds_count{stream="false"} 0.0' in other.exposition("")[0].decode()
