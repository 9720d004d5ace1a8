"""What OpenTelemetry gets of a whole gateway: decoded by a receiver of OTLP."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.sidecar import mounted
from shared.domain.sampling import Sampler
from shared.errors import Unavailable
from shared.telemetry import tracing
from shared.telemetry.otlp import SCHEMA
from tests.support.http_gateway import MODEL, Surface, settings_for, surface, without_models
from tests.support.mcp_raw import ACCEPT, INITIALIZE
from tests.support.mcp_stack import client_of
from tests.support.otlp_receiver import Receiver, otlp_receiver

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
SECRET_WORDS = "the colour of my dog is mauve"
PATH = "/v1/chat/completions"


def exporting(receiver: Receiver, **more: Any) -> dict[str, Any]:
    """Settings of a gateway that exports there."""
    return {"otel_exporter_otlp_endpoint": receiver.url, "upstream_trace": "all", **more}


def hello(**more: Any) -> dict[str, Any]:
    return {"model": MODEL["id"], "messages": [{"role": "user", "content": SECRET_WORDS}], **more}


async def add(made: Surface, **more: Any) -> None:
    prices = {"pricePer1kInputTokens": 1, "pricePer1kOutputTokens": 2}
    answer = await made.http.post("/v1/models", json={**MODEL, **prices, **more})
    assert answer.status_code == 201, answer.text


async def test_a_fail_over_is_a_server_span_with_one_client_span_for_each_attempt(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        async with surface(tmp_path, **exporting(receiver)) as made:
            await without_models(made)
            await add(made, id="scripted/bad", apiModelName="scripted-e500", priority=0)
            await add(made, priority=1)
            asked = hello(model="auto", temperature=0.5, max_tokens=50, gateway={"session": "talk-1"})
            answer = await made.http.post(PATH, json=asked, headers=TRACEPARENT)
            assert answer.status_code == 200
            told = [seen.headers.get("traceparent") for seen in list(made.provider.seen)[-2:]]
        server = receiver.one(f"POST {PATH}")
        first, second = receiver.one("chat scripted-e500"), receiver.one("chat scripted")
    assert (server.kind, server.trace_id, server.parent_id) == ("SERVER", TRACE, PARENT)
    assert answer.headers["traceparent"] == f"00-{TRACE}-{server.span_id}-01"
    assert server.attributes["http.response.status_code"] == 200
    assert server.attributes["http.route"] == PATH
    assert server.attributes["gateway.model"] == MODEL["id"]
    assert server.status == "UNSET"
    for number, span in enumerate((first, second), 1):
        assert (span.kind, span.trace_id, span.parent_id) == ("CLIENT", TRACE, server.span_id)
        assert span.attributes["gateway.attempt.number"] == number
        assert span.nanoseconds > 0
    assert told == [f"00-{TRACE}-{span.span_id}-01" for span in (first, second)]
    assert (first.status, first.attributes["error.type"]) == ("ERROR", "provider_failed")
    assert first.attributes["http.response.status_code"] == 500
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "scripted",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.stream": False,
        "gen_ai.response.model": "scripted",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.conversation.id": "talk-1",
        "server.address": "127.0.0.1",
        "gateway.model.id": MODEL["id"],
    }
    assert expected.items() <= second.attributes.items()
    assert second.attributes["gen_ai.usage.input_tokens"] > 0
    assert second.attributes["gateway.cost_usd"] > 0
    assert (second.status, "error.type" in second.attributes) == ("UNSET", False)
    assert receiver.schemas == {SCHEMA}
    assert receiver.resource["service.name"] == "ai-mcp-gateway"
    assert SECRET_WORDS.encode() not in receiver.raw, "what is said is recorded only when that is asked for"


async def test_a_stream_tells_when_it_began_and_what_it_used(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        async with surface(tmp_path, **exporting(receiver)) as made:
            await add(made)
            assert (await made.http.post(PATH, json=hello(stream=True))).status_code == 200
        span = receiver.one("chat scripted")
        server = receiver.one(f"POST {PATH}")
    assert (span.parent_id, server.parent_id) == (server.span_id, "")
    assert span.attributes["gen_ai.request.stream"] is True
    assert span.attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert span.attributes["gen_ai.usage.output_tokens"] > 0
    assert span.attributes["gen_ai.response.finish_reasons"] == ["stop"]


@pytest.mark.parametrize("stream", [False, True])
async def test_messages_are_recorded_when_asked_for_without_known_secrets(tmp_path: Path, stream: bool) -> None:
    content = {"otel_instrumentation_genai_capture_message_content": True}
    with otlp_receiver() as receiver:
        async with surface(
            tmp_path, openai_api_key="sk-proj-verysecretkey0123456789", **content | exporting(receiver)
        ) as made:
            await add(made)
            said = [{"type": "text", "text": f"{SECRET_WORDS} sk-proj-verysecretkey0123456789"}]
            picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
            messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [*said, picture]}]
            answer = await made.http.post(PATH, json=hello(messages=messages, stream=stream))
            assert answer.status_code == 200, answer.text
        attributes = receiver.one("chat scripted").attributes
    system, user = json.loads(attributes["gen_ai.input.messages"])
    assert system == {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}
    assert user["parts"][0]["content"].startswith(SECRET_WORDS)
    assert user["parts"][1] == {"type": "image_url"}
    (output,) = json.loads(attributes["gen_ai.output.messages"])
    assert (output["role"], output["finish_reason"], output["parts"][0]["type"]) == ("assistant", "stop", "text")
    assert output["parts"][0]["content"]
    assert b"verysecretkey" not in receiver.raw
    assert b"AAAA" not in receiver.raw


async def test_a_trace_that_is_not_recorded_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        never = {"otel_traces_sampler": "parentbased_traceidratio", "otel_traces_sampler_arg": 0}
        async with surface(tmp_path, **exporting(receiver, otel_metrics_exporter="none", **never)) as made:
            await add(made)
            answer = await made.http.post(PATH, json=hello())
            assert answer.headers["traceparent"].endswith("-00")
            assert made.provider.seen[-1].headers["traceparent"].endswith("-00")
            refused = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
            assert (await made.http.post(PATH, json=hello(), headers=refused)).status_code == 200
            await made.http.get("/health", headers=TRACEPARENT)
            assert (await made.http.post(PATH, json=hello(), headers=TRACEPARENT)).status_code == 200
        assert [span.trace_id for span in receiver.spans] == [TRACE, TRACE], (
            "the client records it, so the gateway does"
        )


async def test_a_command_over_mcp_is_a_tool_span_inside_the_call(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        async with surface(tmp_path, **exporting(receiver)) as made:
            async with client_of(made.gateway) as client:
                await client.call_tool("run_command", {"command": "echo mauve; exit 3"}, meta=TRACEPARENT)
                await client.call_tool("run_command", {"command": "true"})
            session = (await made.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
            await made.http.post(f"/v1/terminal/{session}/execute", json={"command": "exit 4"}, headers=TRACEPARENT)
        calls, tools = receiver.named("tools/call run_command"), receiver.named("execute_tool run_command")
        served = receiver.one("POST /v1/terminal/{id}/execute")
    assert [(call.kind, call.trace_id == TRACE, call.parent_id) for call in calls] == [
        ("SERVER", True, PARENT),
        ("SERVER", False, ""),
    ]
    assert calls[0].attributes["mcp.method.name"] == "tools/call"
    assert calls[0].attributes["gen_ai.tool.name"] == "run_command"
    assert calls[0].attributes["network.transport"] == "pipe"
    assert [tool.kind for tool in tools] == ["INTERNAL"] * 3
    assert [tool.parent_id for tool in tools] == [calls[0].span_id, calls[1].span_id, served.span_id]
    assert [tool.attributes["process.exit.code"] for tool in tools] == [3, 0, 4]
    assert {tool.attributes["gen_ai.operation.name"] for tool in tools} == {"execute_tool"}
    assert b"mauve" not in receiver.raw, "commands and their output are recorded only when that is asked for"


async def test_a_tool_call_over_http_is_inside_the_web_request(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        settings = exporting(receiver, otel_metrics_exporter="none")
        mounts = [mounted(settings_for(tmp_path, **settings))]
        async with surface(tmp_path, mounts=mounts, **settings) as made:
            opening = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE}
            opened = await made.http.post("/mcp", json=opening, headers=ACCEPT)
            session = {**ACCEPT, "mcp-session-id": opened.headers["mcp-session-id"]}
            await made.http.post(
                "/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session
            )
            params = {"name": "run_command", "arguments": {"command": "true"}}
            request = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
            answer = await made.http.post("/mcp", json=request, headers={**session, **TRACEPARENT})
            assert answer.status_code == 200, answer.text
        (web,) = (span for span in receiver.named("POST") if span.trace_id == TRACE)
        call, tool = receiver.one("tools/call run_command"), receiver.one("execute_tool run_command")
    assert [span.trace_id for span in (web, call, tool)] == [TRACE] * 3
    assert [span.parent_id for span in (web, call, tool)] == [PARENT, web.span_id, call.span_id]
    assert web.attributes["url.path"] == "/mcp"
    assert (call.attributes["network.transport"], call.attributes["jsonrpc.request.id"]) == ("tcp", "7")
    assert call.attributes["mcp.session.id"] == session["mcp-session-id"]


async def test_a_refused_command_is_a_failed_tool_span(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        async with surface(tmp_path, **exporting(receiver)) as made, client_of(made.gateway) as client:
            await client.call_tool("run_command", {"command": "true", "sessionId": "term-none"})
        call, tool = receiver.one("tools/call run_command"), receiver.one("execute_tool run_command")
    assert (call.status, tool.status) == ("ERROR", "ERROR")
    assert call.attributes["error.type"] == tool.attributes["error.type"]


async def test_metrics_have_the_names_of_the_conventions(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        headers = {"otel_exporter_otlp_headers": "authorization=Basic%20abc,x-team=a"}
        named = {"otel_service_name": "mine", "otel_resource_attributes": "deployment.environment.name=test"}
        async with surface(tmp_path, **exporting(receiver, **headers, **named)) as made:
            await add(made)
            await made.http.post(PATH, json=hello(stream=True))
            assert made.gateway.telemetry is not None
            await made.gateway.telemetry.export_metrics()
            metrics = dict(receiver.metrics)
        assert (receiver.headers["authorization"], receiver.headers["x-team"]) == ("Basic abc", "a")
        assert {"service.name": "mine", "deployment.environment.name": "test"}.items() <= receiver.resource.items()
    duration = metrics["gen_ai.client.operation.duration"]
    (point,) = duration.histogram.data_points
    attributes = {pair.key: pair.value.string_value for pair in point.attributes}
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": MODEL["id"],
    }
    assert (duration.unit, point.count, point.explicit_bounds[0]) == ("s", 1, 0.01)
    assert (
        metrics["gen_ai.client.token.usage"].unit,
        len(metrics["gen_ai.client.token.usage"].histogram.data_points),
    ) == (
        "{token}",
        2,
    )
    assert metrics["gen_ai.client.operation.time_to_first_chunk"].histogram.data_points[0].count == 1
    assert metrics["gateway.attempts"].sum.is_monotonic
    assert metrics["gateway.attempts"].sum.data_points[0].as_double == 1
    assert metrics["gateway.database_up"].gauge.data_points[0].as_double == 1
    assert metrics["gateway.http_requests"].sum.data_points


async def test_a_receiver_that_is_away_harms_no_chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "LAST_SECONDS", 0.1)
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra 'otel' is not installed")
    nobody = {"otel_exporter_otlp_endpoint": "http://127.0.0.1:1", "otel_metrics_exporter": "none"}
    async with surface(tmp_path, **nobody) as made:
        await add(made)
        assert (await made.http.post(PATH, json=hello())).status_code == 200


async def test_an_endpoint_without_the_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    with pytest.raises(Unavailable, match=r"install 'ai-mcp-gateway\[otel\]'"):
        async with surface(tmp_path, otel_exporter_otlp_endpoint="http://127.0.0.1:1"):
            pass


async def test_without_an_endpoint_nothing_of_it_is_there(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        assert made.gateway.telemetry is None


@pytest.mark.parametrize(
    ("sampler", "parent", "taken"),
    [
        (Sampler("always_on"), False, True),
        (Sampler("always_off"), True, False),
        (Sampler("parentbased_always_off"), True, True),
        (Sampler("parentbased_always_on"), False, False),
        (Sampler("parentbased_always_on"), None, True),
        (Sampler("traceidratio", 1), False, True),
        (Sampler("traceidratio", 0), True, False),
        (Sampler("parentbased_traceidratio", 0.5), None, False),
        (Sampler("parentbased_traceidratio", 0.6), None, True),
    ],
)
def test_samplers_decide_as_specified(sampler: Sampler, parent: bool | None, taken: bool) -> None:
    assert sampler.takes("0" * 16 + "8" + "0" * 15, parent) is taken
