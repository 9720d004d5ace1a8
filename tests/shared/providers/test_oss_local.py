"""The provider `oss-local`: found servers first, the embedded model where none has the model."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.domain.chat import ChatRequest, Chunk, Completion
from shared.domain.models import Model
from shared.errors import UpstreamContextTooLong, UpstreamError, UpstreamTimeout
from shared.providers import embedded as embedded_module
from shared.providers.base import Probe, Timeouts
from shared.providers.discovery import Discovery
from shared.providers.embedded import MODEL, EmbeddedModel
from shared.providers.embedded_child import Child, Launch
from shared.providers.http_client import HttpClient
from shared.providers.local_addresses import Candidate
from shared.providers.ollama.provider import OllamaChat
from shared.providers.openai.provider import OpenAICompatible
from shared.providers.oss_local import OssLocal
from shared.providers.scripted import ScriptedServer
from tests.support.children import children
from tests.support.embedded_scripts import ENDS_WITH_STDIN, script
from tests.support.fake_ollama import FakeOllama, Fault
from tests.support.local_servers import LM_STUDIO, OLLAMA, VLLM, listed, table_server
from tests.support.waiting import until

TIMEOUTS = Timeouts(connect=2, first_token=5, stall=5, total=10)


class FakeClient:
    """Says who it is; fails as it is told to."""

    name = "oss-local"
    configured = True

    def __init__(self, base_url: str, api_key: str, faults: list[UpstreamError]) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self.faults = faults
        self.closed = False

    def serves(self, model: Model) -> bool:
        return True

    async def complete(self, model: Model, request: ChatRequest, timeouts: Timeouts) -> Completion:
        if self.faults:
            raise self.faults.pop(0)
        return Completion({"by": self.base_url, "key": self.api_key}, None)

    @asynccontextmanager
    async def stream(
        self, model: Model, request: ChatRequest, timeouts: Timeouts
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        if self.faults:
            raise self.faults.pop(0)
        yield self._chunks()

    async def _chunks(self) -> AsyncIterator[Chunk]:
        yield Chunk(self.base_url.encode(), content=True)
        if self.faults:
            raise self.faults.pop(0)

    async def probe(self) -> Probe:
        return Probe(healthy=True)

    async def aclose(self) -> None:
        self.closed = True


class Local:
    """An OssLocal with fake clients, and a script in the place of the embedded model."""

    def __init__(self, folder: Path, *candidates: Candidate, mode: Any = "off") -> None:
        self.clients: list[FakeClient] = []
        self.faults: list[UpstreamError] = []
        self.children: list[Child] = []
        weights = folder / "tiny.gguf"
        weights.write_bytes(b"GGUF")
        self.discovery = Discovery(candidates)
        self.embedded = EmbeddedModel(data_dir=folder, mode=mode, weights=weights, spawn=self._spawn)
        self.provider = OssLocal(
            discovery=self.discovery,
            embedded=self.embedded,
            connect=self._connect,
            connect_ollama=lambda root: self._connect(root, "native"),
        )

    def _connect(self, base_url: str, api_key: str) -> FakeClient:
        self.clients.append(FakeClient(base_url, api_key, self.faults))
        return self.clients[-1]

    async def _spawn(self, launch: Launch, timeout: float) -> Child:
        self.children.append(await Child.spawn(launch, timeout=timeout, command=script(ENDS_WITH_STDIN)))
        return self.children[-1]

    async def complete(self, name: str) -> dict[str, Any]:
        return (await self.provider.complete(model(name), chat(), TIMEOUTS)).payload

    async def stream(self, name: str) -> list[bytes]:
        async with self.provider.stream(model(name), chat(), TIMEOUTS) as chunks:
            return [chunk.data async for chunk in chunks]


@pytest.fixture(autouse=True)
def _runtime(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(embedded_module, "RUNTIME", "json")


@asynccontextmanager
async def local(folder: Path, *candidates: Candidate, mode: Any = "off") -> AsyncIterator[Local]:
    made = Local(folder, *candidates, mode=mode)
    try:
        yield made
    finally:
        await made.provider.aclose()
        assert children() == []


def model(name: str) -> Model:
    return Model(id=f"oss-local/{name}", provider="oss-local", api_model_name=name, layer="L0")


def chat(**more: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [{"role": "user", "content": "What is the capital of France?"}], **more})


async def test_a_model_goes_to_the_server_that_lists_it(tmp_path: Path) -> None:
    async with (
        table_server(OLLAMA) as ollama,
        table_server(VLLM) as vllm,
        local(tmp_path, Candidate(ollama.root), Candidate(vllm.root)) as it,
    ):
        assert not it.provider.serves(model("qwen3:8b"))
        await it.provider.probe()
        assert it.provider.serves(model("qwen3:8b"))
        assert not it.provider.serves(model("nomic-embed-text:latest"))
        assert (await it.complete("qwen3:8b")) == {"by": ollama.root, "key": "native"}
        assert (await it.complete("Qwen/Qwen3-32B")) == {"by": f"{vllm.root}/v1", "key": ""}
        assert (await it.stream("Qwen/Qwen3-32B")) == [f"{vllm.root}/v1".encode()]
        await it.complete("llama3.2")
        assert len(it.clients) == 2
    assert all(client.closed for client in it.clients)


async def test_a_probe_lists_what_was_found_and_by_whom(tmp_path: Path) -> None:
    async with (
        table_server(OLLAMA) as ollama,
        table_server(LM_STUDIO) as studio,
        local(tmp_path, Candidate(ollama.root), Candidate(studio.root), mode="auto") as it,
    ):
        probe = await it.provider.probe()
    assert probe.healthy
    assert probe.models is not None
    assert [(found.name, found.served_by.split(" ")[0]) for found in probe.models] == [
        ("qwen3:8b", "ollama"),
        ("llama3.2:latest", "ollama"),
        ("qwen2-vl-7b", "lm-studio"),
        ("qwen2.5-coder-7b", "lm-studio"),
        (MODEL.name, "embedded"),
    ]
    assert f"ollama {ollama.root} (2 models)" in probe.detail


async def test_a_model_on_two_servers_is_listed_once_and_asked_of_the_preferred(tmp_path: Path) -> None:
    async with (
        table_server(VLLM) as first,
        table_server(VLLM) as second,
        local(tmp_path, Candidate(second.root), Candidate(first.root)) as it,
    ):
        probe = await it.provider.probe()
        assert probe.models is not None
        assert len(probe.models) == 1
        assert (await it.complete("Qwen/Qwen3-32B"))["by"] == f"{second.root}/v1"


async def test_a_server_with_the_embedded_models_name_is_preferred(tmp_path: Path) -> None:
    table = {"GET /v1/models": listed({"id": MODEL.name, "owned_by": "llamacpp"})}
    async with table_server(table) as server, local(tmp_path, Candidate(server.root), mode="auto") as it:
        await it.provider.probe()
        assert (await it.complete(MODEL.name))["by"] == f"{server.root}/v1"
        assert it.children == []


async def test_without_any_server_the_embedded_model_answers(tmp_path: Path) -> None:
    async with local(tmp_path, mode="auto") as it:
        assert it.provider.configured
        assert it.provider.serves(model(MODEL.name))
        assert not it.provider.serves(model("qwen3:8b"))
        answer = await it.complete(MODEL.name)
        assert (answer["by"], answer["key"]) == ("http://127.0.0.1:9/v1", it.children[0].endpoint.api_key)
        assert await it.stream(MODEL.name) == [b"http://127.0.0.1:9/v1"]
        assert (len(it.children), len(it.clients)) == (1, 1)


async def test_nobody_is_said_to_be_nobody(tmp_path: Path) -> None:
    async with local(tmp_path) as it:
        probe = await it.provider.probe()
        assert (probe.healthy, probe.models, it.provider.configured) == (False, (), False)
        assert not it.provider.serves(model(MODEL.name))
        with pytest.raises(UpstreamError, match="No local model server offers 'qwen3'"):
            await it.complete("qwen3")
        with pytest.raises(UpstreamError, match="EMBEDDED_MODEL"):
            await it.stream(MODEL.name)


async def test_a_named_server_that_is_away_is_configured_and_reported(tmp_path: Path) -> None:
    async with local(tmp_path, Candidate("http://user:secret@127.0.0.1:1", explicit=True)) as it:
        probe = await it.provider.probe()
        assert (it.provider.configured, probe.healthy) == (True, False)
        assert it.provider.describe() == {
            "answering": None,
            "servers": [],
            "notAnswering": ["http://127.0.0.1:1"],
            "embedded": {"model": MODEL.name, "state": "off", "detail": "turned off by EMBEDDED_MODEL"},
        }


async def test_it_says_honestly_who_answers(tmp_path: Path) -> None:
    async with table_server(OLLAMA) as ollama, local(tmp_path, Candidate(ollama.root), mode="auto") as it:
        assert it.provider.describe()["answering"] == "embedded model"
        await it.provider.probe()
        said = it.provider.describe()
        assert said["answering"] == f"ollama {ollama.root}"
        assert said["servers"] == [{"kind": "ollama", "url": ollama.root, "models": ["qwen3:8b", "llama3.2:latest"]}]
        assert said["embedded"]["state"] == "stopped"
        await it.complete(MODEL.name)
        assert it.provider.describe()["embedded"]["state"] == "running"


async def test_a_server_that_cannot_be_reached_is_gone_until_it_is_found_again(tmp_path: Path) -> None:
    async with table_server(VLLM) as vllm, local(tmp_path, Candidate(vllm.root)) as it:
        await it.provider.probe()
        it.faults.append(UpstreamError("refused"))
        with pytest.raises(UpstreamError, match="refused"):
            await it.complete("Qwen/Qwen3-32B")
        assert not it.provider.serves(model("Qwen/Qwen3-32B"))
        await until(lambda: it.provider.serves(model("Qwen/Qwen3-32B")))
        assert vllm.seen.count("GET /v1/models") == 2


@pytest.mark.parametrize("faults", [1, 2], ids=["at its start", "in its middle"])
async def test_a_stream_that_breaks_is_noticed(tmp_path: Path, faults: int) -> None:
    async with table_server(VLLM) as vllm, local(tmp_path, Candidate(vllm.root)) as it:
        await it.provider.probe()
        async with it.provider.stream(model("Qwen/Qwen3-32B"), chat(), TIMEOUTS) as chunks:
            it.faults.append(UpstreamError("broke off"))
            if faults == 2:
                with pytest.raises(UpstreamError, match="broke off"):
                    [chunk async for chunk in chunks]
        if faults == 1:
            with pytest.raises(UpstreamError, match="broke off"):
                await it.stream("Qwen/Qwen3-32B")
        assert not it.provider.serves(model("Qwen/Qwen3-32B"))
        await until(lambda: it.provider.serves(model("Qwen/Qwen3-32B")))


@pytest.mark.parametrize(
    ("fault", "looks_again"),
    [
        (UpstreamTimeout("too slow"), True),
        (UpstreamError("no such model", status=404), True),
        (UpstreamError("broken", status=500), False),
    ],
)
async def test_a_server_that_answers_is_not_taken_for_gone(
    tmp_path: Path, fault: UpstreamError, looks_again: bool
) -> None:
    async with table_server(VLLM) as vllm, local(tmp_path, Candidate(vllm.root)) as it:
        await it.provider.probe()
        vllm.asked.clear()
        it.faults.append(fault)
        with pytest.raises(UpstreamError):
            await it.complete("Qwen/Qwen3-32B")
        assert it.provider.serves(model("Qwen/Qwen3-32B"))
        if looks_again:
            async with asyncio.timeout(5):
                await vllm.asked.wait()
        else:
            await asyncio.sleep(0)
            assert it.provider._recheck is None


@pytest.mark.parametrize("way", ["complete", "stream"])
async def test_an_embedded_process_that_died_is_replaced_under_the_call(tmp_path: Path, way: str) -> None:
    async with local(tmp_path, mode="auto") as it:
        await getattr(it, way)(MODEL.name)
        os.kill(it.children[0].pid, signal.SIGKILL)
        it.faults.append(UpstreamError("refused"))
        assert await getattr(it, way)(MODEL.name)
        assert len(it.children) == 2
        assert it.clients[0].closed
        assert it.clients[1].api_key == it.children[1].endpoint.api_key


@pytest.mark.parametrize("way", ["complete", "stream"])
@pytest.mark.parametrize("fault", [UpstreamError("refused"), UpstreamError("bad", status=400), UpstreamTimeout("slow")])
async def test_a_fault_of_a_living_embedded_process_is_the_callers_to_see(
    tmp_path: Path, way: str, fault: UpstreamError
) -> None:
    async with local(tmp_path, mode="auto") as it:
        await getattr(it, way)(MODEL.name)
        it.faults.append(fault)
        with pytest.raises(UpstreamError) as seen:
            await getattr(it, way)(MODEL.name)
        assert seen.value is fault
        assert len(it.children) == 1


async def test_turned_off_and_on_again_it_works_as_before(tmp_path: Path) -> None:
    async with table_server(VLLM) as vllm, local(tmp_path, Candidate(vllm.root), mode="auto") as it:
        await it.provider.probe()
        await it.complete(MODEL.name)
        await it.complete("Qwen/Qwen3-32B")
        await it.provider.aclose()
        with pytest.raises(UpstreamError, match="is stopping"):
            await it.complete(MODEL.name)
        assert (await it.provider.probe()).healthy
        assert await it.complete(MODEL.name)
        assert await it.complete("Qwen/Qwen3-32B")
        assert len(it.children) == 2


async def test_it_is_started_at_once_where_that_is_wanted(tmp_path: Path) -> None:
    async with local(tmp_path, mode="start") as it:
        assert (await it.provider.probe()).healthy
        await until(lambda: it.embedded.state.status == "running")
        assert len(it.children) == 1


async def test_through_the_real_client_a_found_server_answers_and_streams(tmp_path: Path) -> None:
    client = HttpClient()
    async with ScriptedServer().listening() as server:
        embedded = EmbeddedModel(data_dir=tmp_path, mode="off")
        provider = OssLocal(
            discovery=Discovery([Candidate(server.base_url.removesuffix("/v1"), explicit=True)]),
            embedded=embedded,
            connect=lambda url, key: OpenAICompatible("oss-local", url, key, client, needs_key=False),
            connect_ollama=lambda root: OllamaChat("oss-local", root, client),
        )
        probe = await provider.probe()
        assert probe.models
        name = probe.models[0].name
        answer = await provider.complete(model(name), chat(), TIMEOUTS)
        assert answer.payload["choices"][0]["message"]["content"]
        async with provider.stream(model(name), chat(stream=True), TIMEOUTS) as chunks:
            parts = [chunk async for chunk in chunks]
        assert any(part.content for part in parts)
        assert parts[-1].final
        await provider.aclose()
    await client.aclose()


@asynccontextmanager
async def found_ollama(folder: Path, server: FakeOllama) -> AsyncIterator[OssLocal]:
    """A provider that has found an Ollama server and speaks with it."""
    client = HttpClient()
    provider = OssLocal(
        discovery=Discovery([Candidate(server.url)]),
        embedded=EmbeddedModel(data_dir=folder, mode="off"),
        connect=lambda url, key: OpenAICompatible("oss-local", url, key, client, needs_key=False),
        connect_ollama=lambda root: OllamaChat("oss-local", root, client),
    )
    await provider.probe()
    yield provider
    await provider.aclose()
    await client.aclose()


async def test_a_long_conversation_reaches_ollama_whole(tmp_path: Path) -> None:
    async with FakeOllama(overflow="cut") as server, found_ollama(tmp_path, server) as provider:
        request = ChatRequest.parse({"messages": [{"role": "user", "content": "many words " * 9_000}]})
        answer = await provider.complete(model("llama3.2:latest"), request, TIMEOUTS)
    assert answer.payload["usage"]["prompt_tokens"] > 24_000
    assert "truncated_prompt" not in answer.payload["usage"]
    assert server.loads == [("llama3.2:latest", 32_768)]


async def test_ollama_is_not_gone_for_what_it_cannot_take_or_finish(tmp_path: Path) -> None:
    async with FakeOllama() as server, found_ollama(tmp_path, server) as provider:
        asked = model("llama3.2:latest")
        request = ChatRequest.parse({"messages": [{"role": "user", "content": "many words " * 50_000}]})
        with pytest.raises(UpstreamContextTooLong):
            await provider.complete(asked, request, TIMEOUTS)
        server.faults.append(Fault(raw=b'{"error": "an error was encountered while running the model"}\n'))
        with pytest.raises(UpstreamError):
            await provider.complete(asked, chat(), TIMEOUTS)
        assert provider.serves(asked)
        assert provider._recheck is None


@pytest.mark.slow
async def test_through_the_real_client_the_real_embedded_model_answers_streams_and_comes_back(tmp_path: Path) -> None:
    embedded = EmbeddedModel(data_dir=tmp_path)
    if not embedded.installed:
        pytest.skip(f"the embedded model is not installed: {embedded.state.detail}")
    client = HttpClient()
    provider = OssLocal(
        discovery=Discovery([]),
        embedded=embedded,
        connect=lambda url, key: OpenAICompatible("oss-local", url, key, client),
        connect_ollama=lambda root: OllamaChat("oss-local", root, client),
    )
    ours = model(MODEL.name)
    answer = await provider.complete(ours, chat(max_tokens=12), TIMEOUTS)
    assert "Paris" in answer.payload["choices"][0]["message"]["content"]
    assert answer.usage is not None
    assert answer.usage.completion > 0
    os.kill(int(embedded.state.detail.split()[-1]), signal.SIGKILL)
    async with provider.stream(ours, chat(stream=True, max_tokens=12), TIMEOUTS) as chunks:
        parts = [chunk async for chunk in chunks]
    assert b"Paris" in b"".join(part.data for part in parts)
    assert parts[-1].final is not None
    await provider.aclose()
    await client.aclose()
    assert children() == []
