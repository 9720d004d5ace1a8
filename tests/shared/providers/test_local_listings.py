"""What model servers' listings are read as, and what isn't one."""

from typing import Any

import pytest

from shared.providers import local_listings as listings
from tests.support.local_servers import GATEWAY, listed


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "models",
        {},
        {"object": "list"},
        {"data": []},
        {"object": "list", "data": "x"},
        {"object": "list", "data": [1]},
        {"object": "list", "data": [{"name": "x"}]},
        {"object": "list", "data": [{"id": 5}]},
        {"object": "list", "data": [{"id": "a\nb"}]},
        {"object": "list", "data": [{"id": "x" * 201}]},
        {"detail": "Not Found"},
        GATEWAY["GET /v1/models"],
    ],
)
def test_another_shape_is_no_list_of_models(value: Any) -> None:
    assert listings.openai_entries(value) is None


def test_a_server_without_models_is_a_server() -> None:
    assert listings.openai_entries({"object": "list", "data": None}) == []


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"owned_by": "llamacpp"}, "llama.cpp"),
        ({"owned_by": "vllm"}, "vllm"),
        ({"owned_by": "someone", "max_model_len": 1}, "vllm"),
        ({"owned_by": "sglang", "max_model_len": 1}, "sglang"),
        ({"owned_by": "llama-swap"}, "llama-swap"),
        ({"owned_by": "library"}, ""),
        ({"owned_by": ["vllm"]}, ""),
    ],
)
def test_entries_tell_their_server(entry: dict[str, Any], kind: str) -> None:
    assert listings.kind_of([{"id": "x", **entry}]) == kind


def test_models_that_do_not_chat_are_left_out() -> None:
    names = ["qwen3", "text-embedding-3", "bge-m3", "jina-reranker", "whisper-1", "intfloat/e5-large", "kokoro-tts"]
    found = listings.plain_models(listed(*({"id": name} for name in names))["data"], "somewhere")
    assert [model.name for model in found] == ["qwen3"]


def test_a_name_tells_of_code_and_reasoning() -> None:
    assert listings.by_name("qwen3-coder:30b").code
    assert listings.by_name("deepseek-r1:8b").reasoning
    assert not listings.by_name("llama3.2").code
    assert not listings.by_name("llama3.2").reasoning


def test_llama_cpp_without_props_is_read_from_its_listing() -> None:
    entry = {"id": "m", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}, "architecture": {"input_modalities": ["image"]}}
    (model,) = listings.llama_cpp_models([entry], None, "llama.cpp x")
    assert (model.context_window, model.capabilities.vision, model.capabilities.tools) == (4096, True, None)


def test_an_ollama_model_without_details_is_judged_by_its_name() -> None:
    assert listings.ollama_model({"name": "nomic-embed-text"}, None, "ollama x") is None
    model = listings.ollama_model({"name": "qwen2.5-coder"}, None, "ollama x")
    assert model is not None
    assert (model.context_window, model.capabilities.code) == (None, True)


@pytest.mark.parametrize("said", [None, [], {"model_info": 3, "capabilities": "x"}, {"model_info": {"a": {}}}])
def test_strange_details_are_no_details(said: Any) -> None:
    assert listings.ollama_details(said) == {"context": None, "abilities": ()}


@pytest.mark.parametrize("value", [None, {"error": "x"}, {"models": [{"name": "x"}]}, {"models": {}}])
def test_another_shape_is_not_ollama(value: Any) -> None:
    assert listings.ollama_entries(value) is None


@pytest.mark.parametrize("value", [None, {"error": "x"}, {"data": [{"id": "x"}]}, {"data": [{"type": "llm"}]}])
def test_another_shape_is_not_lm_studio(value: Any) -> None:
    assert listings.lm_studio_models(value, "lm-studio x") is None
