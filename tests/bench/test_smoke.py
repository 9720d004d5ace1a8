"""What a chat costs in calls, tasks, statements and lines stays what it is."""

import sys

import pytest

from bench import smoke


@pytest.fixture(scope="module")
def counted() -> dict[str, float]:
    return smoke.counted()


@pytest.mark.slow
@pytest.mark.parametrize("name", smoke.BOUNDS)
def test_a_chat_costs_no_more_than_it_did(counted: dict[str, float], name: str) -> None:
    bound = smoke.BOUNDS[name] * (1 if sys.version_info >= (3, 12) else 1.15)  # there comprehensions are calls too
    assert counted[name] <= bound, (
        f"A chat now costs {counted[name]:g} {name}, and {smoke.BOUNDS[name]} were allowed. Take the work out of the path "
        "again (make it once, later, or not at all), or raise the bound in bench/smoke.py and say why. "
        "'python bench/smoke.py' shows every count."
    )


@pytest.mark.slow
def test_telemetry_of_one_trace_in_a_hundred_costs_at_most_a_twentieth_more() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra 'otel' is not installed")
    settings = {
        "otel_exporter_otlp_endpoint": "http://127.0.0.1:1",
        "otel_metrics_exporter": "none",
        "otel_traces_sampler": "traceidratio",
        "otel_traces_sampler_arg": "0.01",
    }
    with smoke.running(settings) as gateway:
        for stream in (False, True):
            smoke.ask(gateway.port, stream=stream)
        name = "calls of Python functions"
        assert gateway.finished()[name] <= smoke.BOUNDS[name] * 1.05
