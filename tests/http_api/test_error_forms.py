"""Each client gets the form of errors that it parses, known by a table of its headers and paths."""

from collections.abc import Mapping
from pathlib import Path

import anthropic
import openai
import pytest

from http_api.error_forms import form_for
from tests.support.http_gateway import surface
from tests.support.http_server import serving

AI_SDK = "ai/5.0.60 ai-sdk/provider-utils/3.0.10 runtime/node.js/22"


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({}, "flat"),
        ({"user-agent": "curl/8.14.1"}, "flat"),
        ({"user-agent": "python-httpx/0.28"}, "flat"),
        ({"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/143.0"}, "flat"),
        ({"x-stainless-lang": "js"}, "openai"),
        ({"user-agent": "OpenAI/Python 3.57.0"}, "openai"),
        ({"user-agent": AI_SDK}, "openai"),
        ({"user-agent": "opencode/0.15.0 ai-sdk/openai-compatible/1.0"}, "openai"),
        ({"user-agent": "langchainjs-openai/0.6"}, "openai"),
        ({"user-agent": "litellm/1.80.0"}, "openai"),
        ({"user-agent": "Continue/1.0.5"}, "openai"),
        ({"user-agent": "Zed/0.210.0 (macos; aarch64)"}, "openai"),
        ({"user-agent": "Cline/3.35"}, "openai"),
        ({"user-agent": "Anthropic/JS 0.70.0", "x-stainless-lang": "js"}, "anthropic"),
        ({"anthropic-version": "2023-06-01"}, "anthropic"),
    ],
)
def test_a_client_is_known_by_its_headers(headers: Mapping[str, str], form: str) -> None:
    told = {name.encode(): value.encode() for name, value in headers.items()}
    assert form_for("auto", told, "/v1/chat/completions") == form
    assert form_for("flat", told, "/v1/chat/completions") == "flat"


def test_anthropics_paths_answer_in_its_form() -> None:
    assert form_for("auto", {}, "/v1/messages") == "anthropic"
    assert form_for("auto", {}, "/v1/messages/count_tokens") == "anthropic"
    assert form_for("auto", {b"user-agent": b"Continue/1.0"}, "/api/chat") == "flat"
    assert form_for("auto", {}, "/v1/messageboard") == "flat"


async def test_errors_over_http_have_each_clients_form(tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": 5}]}
    async with surface(tmp_path) as there:
        flat = await there.http.post("/v1/chat/completions", json=body, headers={"user-agent": "curl/8"})
        known = await there.http.post("/v1/chat/completions", json=body, headers={"user-agent": AI_SDK})
        other = await there.http.post("/v1/chat/completions", json=body, headers={"anthropic-version": "2023-06-01"})
    sentence = flat.json()["error"]
    assert "messages.0.content" in sentence
    assert known.json()["error"]["message"] == sentence
    assert known.json()["error"]["type"] == "invalid_request_error"
    assert other.json()["type"] == "error"
    assert other.json()["error"] == {"type": "invalid_request_error", "message": sentence, "code": "invalid_request"}


async def test_the_sdks_of_openai_and_anthropic_read_the_sentence(tmp_path: Path) -> None:
    async with surface(tmp_path) as there, serving(there.app) as server:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="sk-any", max_retries=0) as client:
            with pytest.raises(openai.NotFoundError) as told:
                await client.chat.completions.create(model="gemini-9", messages=[{"role": "user", "content": "hi"}])
        assert told.value.code == "model_not_found"
        assert "There is no model 'gemini-9'" in told.value.message
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="sk-any", max_retries=0) as other:
            with pytest.raises(anthropic.NotFoundError) as missing:
                await other.models.retrieve("gemini-9")
        assert "There is no model 'gemini-9'" in missing.value.message
