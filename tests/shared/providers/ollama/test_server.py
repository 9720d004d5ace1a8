"""What a server is asked about itself."""

from collections.abc import AsyncIterator

import pytest

from shared.providers.http_client import HttpClient
from shared.providers.ollama.server import TRAITS_SECONDS, Server
from shared.providers.ollama.traits import Traits
from tests.support.fake_ollama import FakeModel, FakeOllama


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()


async def test_traits_are_kept_for_a_while(client: HttpClient) -> None:
    time = [0.0]
    async with FakeOllama(models={"a": FakeModel(context_length=4_096)}) as fake:
        server = Server(fake.url, {}, client, clock=lambda: time[0])
        assert (await server.traits("a")).longest == 4_096
        fake.models["a"] = FakeModel(context_length=8_192)
        assert (await server.traits("a")).longest == 4_096
        time[0] = TRAITS_SECONDS
        assert (await server.traits("a")).longest == 8_192


async def test_what_is_loaded_is_asked_each_time(client: HttpClient) -> None:
    async with FakeOllama() as fake:
        server = Server(fake.url, {}, client)
        assert await server.loaded("a") == 0
        fake.loaded["a"] = 4_096
        assert await server.loaded("a") == 4_096


async def test_silence_is_unknown_and_not_kept(client: HttpClient) -> None:
    async with FakeOllama(knows_itself=False) as fake:
        server = Server(fake.url, {}, client)
        assert await server.traits("llama3.2") == Traits()
        assert await server.loaded("llama3.2") == 0
        fake.knows_itself = True
        assert (await server.traits("llama3.2")).longest == 131_072
    assert await server.listing() is None
