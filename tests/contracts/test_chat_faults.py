"""Everything that can be wrong with a provider, over real sockets and the whole gateway: the right answer or the right
error, soon, and nothing left behind.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from shared.domain.models import Model
from shared.providers.scripted import ScriptedServer
from shared.registry.accounts import AccountChange
from tests.support.fake_anthropic import FakeAnthropic, Reply
from tests.support.footprint import Footprint, nothing_left
from tests.support.http_gateway import Surface, surface, without_models
from tests.support.http_server import serving
from tests.support.http_stack import error_of

SECONDS = 10
TOLD = "The other model answers."
OTHER = "scripted-told"
QUICK = {"upstream_first_token_timeout": 0.3, "upstream_stall_timeout": 0.3, "upstream_total_timeout": 1}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A row: the model that shows the fault (`provider` has it), what its attempt is called, and what the caller is
    told when every model fails so. `shown` faults come in a stream after its first content, where they are told at once
    (the tokens come one by one: what breaks off in the same breath as its first content is made good instead).
    """

    name: str
    model: str = "any"
    provider: str = "openai"
    attempt: str
    status: int = 502
    retry_after: str | None = None
    shown: bool = False
    ways: Sequence[bool] = (False, True)


FAULTS = (
    Fault(name="429", model="scripted-e429", attempt="provider_rate_limited", status=429, retry_after="1"),
    Fault(name="429-wait", model="scripted-e429-ra7", attempt="provider_rate_limited", status=429, retry_after="7"),
    Fault(name="401", model="scripted-e401", attempt="provider_auth_failed"),
    Fault(name="402", model="scripted-e402", attempt="provider_quota_exceeded", status=429),
    Fault(name="403", model="scripted-e403", attempt="provider_auth_failed"),
    Fault(name="404", model="scripted-e404", attempt="provider_failed"),
    Fault(name="408", model="scripted-e408", attempt="provider_timeout", status=504),
    Fault(name="500", model="scripted-e500", attempt="provider_failed"),
    Fault(name="500-large", model="scripted-e500-big", attempt="provider_failed"),
    Fault(name="502", model="scripted-e502", attempt="provider_failed"),
    Fault(name="503", model="scripted-e503", attempt="provider_overloaded"),
    Fault(name="503-wait", model="scripted-e503-ra9", attempt="provider_overloaded", retry_after="9"),
    Fault(name="529", model="scripted-e529", attempt="provider_overloaded"),
    Fault(name="no-such-host", provider="nowhere", attempt="provider_unreachable"),
    Fault(name="refused", provider="refusing", attempt="provider_unreachable"),
    Fault(name="reset-before-headers", model="scripted-rst", attempt="provider_unreachable"),
    Fault(name="reset-after-headers", model="scripted-rsthead", attempt="provider_unreachable"),
    Fault(name="stall-before-content", model="scripted-hang", attempt="provider_timeout", status=504),
    Fault(name="stall", model="scripted-hang2-itl20", attempt="provider_timeout", status=504, shown=True),
    Fault(name="drop", model="scripted-drop2-itl20", attempt="provider_unreachable", shown=True),
    Fault(name="end-too-early", model="scripted-cut2-itl20", attempt="provider_unreachable", shown=True, ways=[True]),
    Fault(name="malformed-json", model="scripted-badjson-itl20", attempt="provider_bad_answer", shown=True),
    Fault(name="truncated-json", model="scripted-trunc", attempt="provider_bad_answer", ways=[False]),
    Fault(
        name="truncated-event", model="scripted-trunc-itl20", attempt="provider_unreachable", shown=True, ways=[True]
    ),
    Fault(name="wrong-content-type", model="scripted-html", attempt="provider_bad_answer"),
    Fault(name="200-with-error", model="scripted-e200", attempt="provider_failed"),
    Fault(name="error-event-first", model="scripted-errmid0", attempt="provider_failed", ways=[True]),
    Fault(name="error-event", model="scripted-errmid2-itl20", attempt="provider_failed", shown=True, ways=[True]),
    Fault(name="empty-choices", model="scripted-empty", attempt="provider_bad_answer"),
    Fault(name="empty-text", model="scripted-blank", attempt="provider_bad_answer"),
    Fault(name="huge", model="scripted-huge", attempt="provider_bad_answer"),
)
ANTHROPIC = Path(__file__).parents[1] / "fixtures" / "anthropic"
BEGUN = (ANTHROPIC / "text.sse").read_bytes().partition(b"event: content_block_stop")[0]
SAID = 'Hello, wörld "quoted"\n😀'
ANTHROPIC_FAULTS = (
    (Reply([b"{}"], 429, {"retry-after": "7"}), Fault(name="429", attempt="provider_rate_limited")),
    (Reply([b"{}"], 401), Fault(name="401", attempt="provider_auth_failed")),
    (Reply([b"x" * 100_000], 500), Fault(name="500-large", attempt="provider_failed")),
    (Reply([(ANTHROPIC / "error.json").read_bytes()], 529), Fault(name="529", attempt="provider_overloaded")),
    (Reply([b"{}"], cut=True), Fault(name="reset-after-headers", attempt="provider_unreachable", ways=[False])),
    (Reply.stream(cut=True), Fault(name="reset-after-headers", attempt="provider_unreachable", ways=[True])),
    (Reply.stream(hold=True), Fault(name="stall-before-content", attempt="provider_timeout", ways=[True])),
    (Reply.stream(BEGUN, hold=True), Fault(name="stall", attempt="provider_timeout", shown=True, ways=[True])),
    (Reply.stream(BEGUN, cut=True), Fault(name="drop", attempt="provider_unreachable", shown=True, ways=[True])),
    (Reply.stream(BEGUN), Fault(name="end-too-early", attempt="provider_unreachable", shown=True, ways=[True])),
    (Reply([b'{"id":']), Fault(name="malformed-json", attempt="provider_bad_answer", ways=[False])),
    (Reply([b"<html>"], headers={"content-type": "text/html"}), Fault(name="page", attempt="provider_bad_answer")),
    (
        Reply.stream((ANTHROPIC / "error_first.sse").read_bytes()),
        Fault(name="error-event-first", attempt="provider_rate_limited", ways=[True]),
    ),
    (
        Reply.stream(BEGUN, b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'),
        Fault(name="error-event", attempt="provider_overloaded", shown=True, ways=[True]),
    ),
)
CASES = [
    pytest.param(
        fault, stream, every, id=f"{fault.name}-{'stream' if stream else 'whole'}-{'every' if every else 'first'}"
    )
    for fault in FAULTS
    for stream in fault.ways
    for every in (False, True)
]


@dataclass
class Bench:
    """A gateway behind a real server, its providers (`openai` and `other` are scripted), and a client."""

    there: Surface
    other: ScriptedServer
    http: httpx.AsyncClient
    quiet: Footprint

    def footprint(self) -> Footprint:
        """What is under way now."""
        return Footprint.of(self.there.gateway, self.there.provider, self.other)

    @asynccontextmanager
    async def models(self, *wanted: tuple[str, str]) -> AsyncIterator[list[str]]:
        """These models (name, provider) in this order, by id; afterwards they and their troubles are gone."""
        registry, health = self.there.gateway.registry, self.there.gateway.health
        made = [
            await registry.add(
                Model(
                    id=f"{number}/{name}",
                    provider=provider,
                    api_model_name=name,
                    layer="L0",
                    priority=number,
                    price_per_1k_input_tokens="0.001",
                    price_per_1k_output_tokens="0.002",
                )
            )
            for number, (name, provider) in enumerate(wanted)
        ]
        try:
            yield [model.id for model in made]
        finally:
            for model in made:
                health.succeeded(model)
                await registry.delete(model.id)

    async def chat(self, *, stream: bool, **more: Any) -> httpx.Response:
        """Ask `auto`, in bounded time; nothing may be left of it."""
        body = {"messages": [{"role": "user", "content": "hi"}], "stream": stream, **more}
        async with asyncio.timeout(SECONDS):
            answer = await self.http.post("/v1/chat/completions", json=body)
        await nothing_left(self.quiet, self.footprint)
        return answer


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def messages() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic(listed=Reply([b"{}"])) as server:
        yield server


@pytest.fixture(scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory, messages: FakeAnthropic) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(ScriptedServer(says={OTHER: TOLD}).listening())
        folder = tmp_path_factory.mktemp("faults")
        anthropic = {"anthropic_base_url": messages.url, "anthropic_api_key": "sk-ant-test"}
        there = await stack.enter_async_context(surface(folder, budget_usd_per_day=1_000_000, **anthropic, **QUICK))
        for name, url in {
            "other": other.base_url,
            "nowhere": "http://no-such-host.invalid/v1",
            "refusing": "http://127.0.0.1:9/v1",
        }.items():
            await there.gateway.accounts_of_providers.add(name, AccountChange(base_url=url, api_key=f"sk-{name}"))
        await without_models(there)
        server = await stack.enter_async_context(serving(there.app))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, trust_env=False))
        made = Bench(there, other, http, Footprint.of(there.gateway))
        await _warm(made)
        made.quiet = made.footprint()  # with one connection to each provider that is kept
        yield made


async def _warm(bench: Bench) -> None:
    """Open what is opened on first use."""
    for provider in ("openai", "other"):
        async with bench.models((OTHER, provider)):
            for stream in (False, True):
                body = {"messages": [{"role": "user", "content": "hi"}], "stream": stream}
                assert (await bench.http.post("/v1/chat/completions", json=body)).status_code == 200


@pytest.mark.parametrize(("fault", "stream", "every"), CASES)
async def test_a_fault_is_made_good_or_told(bench: Bench, fault: Fault, stream: bool, every: bool) -> None:
    second = OTHER if not every else fault.model
    where = "other" if fault.provider == "openai" or not every else fault.provider
    async with bench.models((fault.model, fault.provider), (second, where)) as ids:
        before = bench.other.requests
        answer = await bench.chat(stream=stream)
        if stream and fault.shown:
            assert bench.other.requests == before, "no second model was asked"
            check_broken_off(answer, fault, "word0 ", "word0 word1 ")
        elif every:
            check_refused(answer, fault, ids)
        else:
            check_answered(answer, ids[1], stream=stream)


@pytest.mark.parametrize(
    ("reply", "fault", "stream"),
    [
        pytest.param(reply, fault, stream, id=f"{fault.name}-{'stream' if stream else 'whole'}")
        for reply, fault in ANTHROPIC_FAULTS
        for stream in fault.ways
    ],
)
async def test_the_other_dialect_fails_as_well(
    bench: Bench, messages: FakeAnthropic, reply: Reply, fault: Fault, stream: bool
) -> None:
    messages.replies.append(reply)
    async with bench.models(("claude", "anthropic"), (OTHER, "other")) as ids:
        answer = await bench.chat(stream=stream)
        assert not messages.replies, "it was asked"
        if fault.shown:
            check_broken_off(answer, fault, SAID)
        else:
            check_answered(answer, ids[1], stream=stream)


def events_of(text: str) -> list[str]:
    return [event.removeprefix("data: ") for event in text.split("\n\n") if event]


def text_of(events: list[str]) -> str:
    choices = [choice for event in events for choice in orjson.loads(event).get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def check_answered(answer: httpx.Response, model: str, *, stream: bool) -> None:
    """The second model's answer, whole and alone."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-model"] == model
    assert answer.headers["x-gateway-attempts"] == "2"
    if not stream:
        assert answer.json()["choices"][0]["message"]["content"] == TOLD
        return
    *events, done = events_of(answer.text)
    assert (text_of(events), done) == (TOLD, "[DONE]")
    assert orjson.loads(events[-1])["usage"]["cost"] is not None


def check_broken_off(answer: httpx.Response, fault: Fault, *said: str) -> None:
    """What had come, then the error, and no end that looks like a good one."""
    assert answer.status_code == 200
    *events, last = events_of(answer.text)
    assert text_of(events) in said
    error = orjson.loads(last)["error"]
    assert error["code"] == fault.attempt
    assert error["message"]
    assert "[DONE]" not in answer.text
    assert TOLD not in answer.text


def check_refused(answer: httpx.Response, fault: Fault, ids: list[str]) -> None:
    """One error for all, which names each attempt, and tells SDKs to leave it at that."""
    assert answer.status_code == fault.status, answer.text
    error = error_of(answer)
    assert error["code"] == fault.attempt
    named = [(attempt["model"], attempt["code"]) for attempt in error["details"]["attempts"]]
    assert named == [(model, fault.attempt) for model in ids]
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers.get("retry-after") == fault.retry_after
