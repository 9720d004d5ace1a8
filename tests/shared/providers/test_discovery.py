"""Looking for local model servers over real HTTP."""

import asyncio
import socket
from typing import Any

import pytest

from shared.providers import discovery as module
from shared.providers.discovery import Discovery, LocalServer
from shared.providers.local_addresses import Candidate
from tests.support.local_servers import GATEWAY, HANG, LLAMA_CPP, LM_STUDIO, OLLAMA, PLAIN, VLLM, listed, table_server


async def look(*candidates: Candidate) -> tuple[LocalServer, ...]:
    found = Discovery(candidates)
    try:
        return await found.refresh()
    finally:
        await found.aclose()


def facts(server: LocalServer) -> list[tuple[Any, ...]]:
    return [
        (model.name, model.context_window, *sorted(name for name, has in model.capabilities if has))
        for model in server.models
    ]


async def test_ollama_is_found_with_what_it_says_of_each_model() -> None:
    async with table_server(OLLAMA) as ollama:
        (server,) = await look(Candidate(ollama.root))
    assert (server.kind, server.base_url) == ("ollama", f"{ollama.root}/v1")
    assert facts(server) == [
        ("qwen3:8b", 40960, "general", "reasoning", "tools"),
        ("llama3.2:latest", 131072, "general", "vision"),
    ]
    assert server.models[0].served_by == f"ollama {ollama.root}"


async def test_an_ollama_model_may_be_asked_for_without_its_tag() -> None:
    async with table_server(OLLAMA) as ollama:
        (server,) = await look(Candidate(ollama.root))
    assert server.offers("llama3.2")
    assert server.offers("llama3.2:latest")
    assert not server.offers("qwen3")


async def test_ollama_is_asked_about_a_model_once() -> None:
    async with table_server(OLLAMA) as ollama:
        found = Discovery([Candidate(ollama.root)])
        await found.refresh()
        asked = ollama.seen.count("POST /api/show")
        await found.refresh()
        assert ollama.seen.count("POST /api/show") == asked == 3
        ollama.table["GET /api/tags"] = {"models": [{"name": "qwen3:8b", "digest": "new"}]}
        await found.refresh()
        assert ollama.seen.count("POST /api/show") == asked + 1
        await found.aclose()


async def test_ollama_that_tells_no_details_is_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DETAILS_SECONDS", 0.05)
    async with table_server({**OLLAMA, "POST /api/show": HANG}) as ollama:
        (server,) = await look(Candidate(ollama.root))
    assert [model.name for model in server.models] == ["qwen3:8b", "llama3.2:latest"]


async def test_lm_studio_is_found() -> None:
    async with table_server(LM_STUDIO) as studio:
        (server,) = await look(Candidate(studio.root))
    assert server.label == f"lm-studio {studio.root}"
    assert facts(server) == [
        ("qwen2-vl-7b", 32768, "general", "vision"),
        ("qwen2.5-coder-7b", 4096, "code", "general", "tools"),
    ]


async def test_llama_cpp_is_found_with_the_context_that_is_set() -> None:
    async with table_server(LLAMA_CPP) as llama:
        (server,) = await look(Candidate(llama.root))
    assert server.kind == "llama.cpp"
    assert facts(server) == [("gemma.gguf", 2048, "general", "tools", "vision")]


async def test_vllm_is_found() -> None:
    async with table_server(VLLM) as vllm:
        (server,) = await look(Candidate(vllm.root))
    assert server.kind == "vllm"
    assert facts(server) == [("Qwen/Qwen3-32B", 32768, "general")]


async def test_an_unknown_server_counts_only_where_the_operator_named_it() -> None:
    async with table_server(PLAIN) as plain:
        assert await look(Candidate(plain.root)) == ()
        (server,) = await look(Candidate(plain.root, explicit=True))
    assert (server.kind, [model.name for model in server.models]) == ("openai-compatible", ["some-model"])


async def test_a_named_server_may_have_its_api_without_a_version() -> None:
    async with table_server({"GET /engines/models": PLAIN["GET /v1/models"]}) as plain:
        (server,) = await look(Candidate(f"{plain.root}/engines", explicit=True))
    assert server.base_url == f"{plain.root}/engines"


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(
    "table",
    [
        GATEWAY,
        {},
        {"GET /v1/models": b"<!doctype html><title>dev server</title>"},
        {"GET /v1/models": b"[" * 5000},
        {"GET /v1/models": b"\xff\xfe"},
        {"GET /v1/models": {"models": []}},
    ],
    ids=["gateway", "nothing", "html", "nested", "bytes", "other"],
)
async def test_what_is_no_model_server_is_left_alone(table: dict[str, Any], explicit: bool) -> None:
    async with table_server(table) as other:
        assert await look(Candidate(other.root, explicit=explicit)) == ()
        assert not any(line.startswith("POST") for line in other.seen)


async def test_a_development_server_on_a_usual_port_sees_one_request() -> None:
    async with table_server({}) as other:
        await look(Candidate(other.root))
        assert other.seen == ["GET /v1/models"]


async def test_an_endless_listing_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1000)
    table = {"GET /v1/models": listed(*({"id": f"m{n}", "owned_by": "vllm"} for n in range(100)))}
    async with table_server(table) as other:
        assert await look(Candidate(other.root)) == ()


async def test_what_does_not_speak_http_is_no_model_server() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        assert await look(Candidate(f"http://127.0.0.1:{port}")) == ()


@pytest.mark.parametrize(
    "root", ["http://127.0.0.1:1", "ftp://127.0.0.1:1", "http://bad host", "http://", "https://127.0.0.1:1"]
)
async def test_a_bad_address_is_nobody(root: str) -> None:
    assert await look(Candidate(root, explicit=True)) == ()


async def test_the_order_is_that_of_the_candidates() -> None:
    async with table_server(VLLM) as first, table_server(OLLAMA) as second:
        found = await look(Candidate(second.root), Candidate("http://127.0.0.1:1"), Candidate(first.root))
    assert [server.kind for server in found] == ["ollama", "vllm"]


async def test_a_server_that_has_gone_is_no_longer_found() -> None:
    async with table_server(VLLM) as vllm:
        found = Discovery([Candidate(vllm.root)])
        assert len(await found.refresh()) == 1
    assert await found.refresh() == ()
    await found.aclose()


async def test_a_busy_server_is_kept_for_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.2)
    async with table_server(VLLM) as vllm:
        found = Discovery([Candidate(vllm.root)])
        known = await found.refresh()
        vllm.table["GET /v1/models"] = HANG
        assert await found.refresh() == known
        assert await found.refresh() == ()
        vllm.table.update(VLLM)
        assert await found.refresh() == known
        await found.aclose()


async def test_callers_at_the_same_time_share_one_round() -> None:
    async with table_server(VLLM) as vllm:
        found = Discovery([Candidate(vllm.root)])
        await asyncio.gather(*(found.refresh() for _ in range(20)))
        assert vllm.seen == ["GET /v1/models"]
        await found.aclose()


async def test_one_caller_that_goes_away_does_not_end_the_round_of_the_others() -> None:
    async with table_server(VLLM) as vllm:
        found = Discovery([Candidate(vllm.root)])
        impatient = asyncio.create_task(found.refresh())
        await asyncio.sleep(0)
        patient = asyncio.create_task(found.refresh())
        await asyncio.sleep(0)
        impatient.cancel()
        assert len(await patient) == 1
        await found.aclose()


async def test_closing_ends_a_round_that_hangs() -> None:
    async with table_server({"GET /v1/models": HANG}) as slow:
        found = Discovery([Candidate(slow.root)])
        waiting = asyncio.create_task(found.refresh())
        async with asyncio.timeout(5):
            await slow.asked.wait()
            await found.aclose()
            assert await waiting == ()


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused.getsockname()[1]}")
        async with table_server(VLLM) as vllm:
            assert len(await look(Candidate(vllm.root))) == 1
