import httpx
from prometheus_client.parser import text_string_to_metric_families

from http_api import metrics as metrics_module
from http_api.context import Route
from http_api.metrics import Metrics, exposition
from shared.domain.measures import SECONDS, Distribution, Family, counter, gauge, histogram
from tests.support.http_stack import client, layers


async def scrape(families: list[Family], accept: str = "text/plain") -> httpx.Response:
    async def measured() -> list[Family]:
        return families

    app = layers((Route(path="/metrics", methods={"GET": metrics_module.endpoint(measured)}),))
    async with client(app) as http:
        return await http.get("/metrics", headers={"accept": accept})


async def test_prometheus_can_read_it() -> None:
    metrics = Metrics()
    metrics.answered("GET", "/v1/models", 200, 0.25)
    took = Distribution(SECONDS)
    took.observe(0.3)
    shown = [gauge("gateway_x", "An x.", 1.5), counter("gateway_y_total", "Some y.", {"a": 1, "b": 2}, ("name",))]
    answer = await scrape(
        [
            *shown,
            gauge("gateway_z", "No z.", {}, ("name",)),
            histogram("gateway_t_seconds", "T.", {("true",): took}, ("stream",)),
            *metrics.families(),
        ]
    )
    assert answer.headers["content-type"].startswith("text/plain")
    families = list(text_string_to_metric_families(answer.text))
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    assert samples["gateway_x", ()] == 1.5
    assert samples["gateway_y_total", (("name", "b"),)] == 2
    labels = (("method", "GET"), ("path", "/v1/models"), ("status", "200"))
    assert samples["gateway_http_requests_total", labels] == 1
    assert samples["gateway_http_seconds_total", labels] == 0.25
    assert samples["gateway_t_seconds_bucket", (("le", "0.16"), ("stream", "true"))] == 0
    assert samples["gateway_t_seconds_bucket", (("le", "0.32"), ("stream", "true"))] == 1
    assert samples["gateway_t_seconds_bucket", (("le", "+Inf"), ("stream", "true"))] == 1
    assert samples["gateway_t_seconds_sum", (("stream", "true"),)] == 0.3
    kinds = {family.name: family.type for family in families}
    assert (kinds["gateway_y"], kinds["gateway_x"], kinds["gateway_t_seconds"]) == ("counter", "gauge", "histogram")


async def test_openmetrics_is_given_to_those_who_ask_for_it() -> None:
    answer = await scrape(Metrics().families(), "application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_two_applications_do_not_share_their_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.answered("GET", "/v1/models", 200, 1)
    assert 'path="/v1/models"' in exposition(one.families(), "")[0].decode()
    assert 'path="/v1/models"' not in exposition(other.families(), "")[0].decode()
