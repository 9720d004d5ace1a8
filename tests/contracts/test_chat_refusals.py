"""What providers refuse in words, codes and waits of their own, through the whole gateway: who answers instead, or what
the caller is told.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from shared.providers.scripted import Failing
from tests.support.fake_anthropic import FakeAnthropic, Reply
from tests.support.http_gateway import Surface, surface, without_models
from tests.support.http_stack import error_of

YEAR_2100 = 4_102_444_800
ABLE = {"general": True, "tools": True}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Surface]:
    async with surface(tmp_path) as found:
        await without_models(found)
        yield found


async def add(there: Surface, name: str, *, priority: int = 0, price: float = 0.001, **more: Any) -> None:
    prices = {"pricePer1kInputTokens": price, "pricePer1kOutputTokens": price}
    body = {"id": name, "provider": "openai", "apiModelName": name, "layer": "L0", "priority": priority, **prices}
    answer = await there.http.post("/v1/models", json={**body, "capabilities": ABLE, **more})
    assert answer.status_code == 201, answer.text


async def chat(there: Surface, text: str = "hi", **more: Any) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": text}], **more}
    return await there.http.post("/v1/chat/completions", json=body)


def always(status: int, error: Any, headers: str = "") -> Failing:
    return lambda _: (status, error, headers)


def asked(there: Surface) -> list[str]:
    return [str(seen.body["model"]) for seen in there.provider.seen if seen.path.endswith("/chat/completions")]


OVERFLOWS = [
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
    "This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 tokens.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "the request exceeds the available context size, try increasing it",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "Please reduce the length of the messages or completion.",
    "Input is too long for requested model.",
    "The number of tokens to keep from the initial prompt is greater than the context length.",
]


@pytest.mark.parametrize("sentence", OVERFLOWS)
async def test_an_overflow_keeps_its_code_and_the_providers_sentence(there: Surface, sentence: str) -> None:
    await add(there, "small")
    there.provider.fails["small"] = always(400, {"error": {"message": sentence, "type": "invalid_request_error"}})
    answer = await chat(there)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "context_length_exceeded"
    assert error_of(answer)["error"] == f"openai answered 400: {sentence} (context_length_exceeded)"


async def test_after_an_overflow_a_model_with_a_bigger_window_answers(there: Surface) -> None:
    await add(there, "small", contextWindow=8_000)
    await add(there, "scripted", priority=1, contextWindow=100_000)
    there.provider.fails["small"] = always(400, {"error": {"message": OVERFLOWS[0]}})
    answer = await chat(there)
    assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, "scripted")


@pytest.mark.parametrize("stainless", [False, True])
async def test_a_bad_request_carries_the_providers_reason_in_its_message(there: Surface, stainless: bool) -> None:
    await add(there, "strict")
    reason = "Invalid 'messages[0].name': string does not match pattern."
    there.provider.fails["strict"] = always(400, {"error": {"message": reason}})
    headers = {"x-stainless-lang": "python"} if stainless else {}
    body = {"messages": [{"role": "user", "content": "hi"}]}
    answer = await there.http.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 400
    message = answer.json()["error"]["message"] if stainless else answer.json()["error"]
    assert reason in message


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "Your credit balance is too low to access the API.", "type": "invalid_request_error"}},
        [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}],
        {"error": {"message": "Your organization must be verified to stream this model.", "param": "stream"}},
    ],
)
async def test_a_400_that_is_not_the_callers_is_made_good_by_another_model(there: Surface, error: Any) -> None:
    await add(there, "broke")
    there.provider.fails["broke"] = always(400, error)
    await add(there, "scripted", priority=1)
    answer = await chat(there)
    assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, "scripted")


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("Your credit balance is too low to access the Anthropic API.", "provider_quota_exceeded"),
        ("prompt is too long: 210000 tokens > 200000 maximum", "context_length_exceeded"),
    ],
)
async def test_refusals_of_anthropic_keep_their_meaning_and_another_model_answers(
    tmp_path: Path, sentence: str, code: str
) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": sentence}}
    reply = Reply([orjson.dumps(error)], status=400)
    async with (
        FakeAnthropic(reply, reply, listed=Reply([b'{"data":[]}'])) as anthropic,
        surface(tmp_path, anthropic_base_url=anthropic.url, anthropic_api_key="sk-an") as there,
    ):
        await without_models(there)
        await add(there, "claude", provider="anthropic", contextWindow=200_000)
        assert error_of(await chat(there))["code"] == code
        await there.http.put("/v1/providers/anthropic", json={"apiKey": "sk-other"})  # a key that does not rest
        await add(there, "scripted", priority=1, contextWindow=1_000_000)
        answer = await chat(there)
        assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, "scripted")
        assert answer.headers["x-gateway-attempts"] == "2"


async def test_a_model_that_wants_a_verified_organization_rests_alone(there: Surface) -> None:
    await add(there, "unverified")
    sentence = "Your organization must be verified to stream this model."
    there.provider.fails["unverified"] = always(400, {"error": {"message": sentence}})
    await add(there, "scripted", priority=1)
    assert (await chat(there)).headers["x-gateway-model"] == "scripted"
    assert not there.gateway.health.resting_keys("openai")


@pytest.mark.parametrize("stream", [False, True])
async def test_an_unsupported_parameter_is_adapted_once_and_remembered(there: Surface, stream: bool) -> None:
    await add(there, "scripted")

    def picky(body: dict[str, Any]) -> tuple[int, Any, str] | None:
        for name in ("max_tokens", "temperature"):
            if name in body:
                error = {"message": f"Unsupported parameter: '{name}'.", "param": name, "code": "unsupported_parameter"}
                return 400, {"error": error}, ""
        return None

    there.provider.fails["scripted"] = picky
    for expected in (3, 4):
        answer = await chat(there, stream=stream, max_tokens=50, temperature=0.2)
        assert answer.status_code == 200
        assert len(asked(there)) == expected
        assert there.provider.seen[-1].body["max_completion_tokens"] == 50


async def test_a_parameter_that_shapes_the_answer_is_not_dropped(there: Surface) -> None:
    await add(there, "scripted")
    error = {"message": "Unsupported parameter: 'tools'.", "param": "tools", "code": "unsupported_parameter"}
    there.provider.fails["scripted"] = always(400, {"error": error})
    answer = await chat(there, tools=[TOOL])
    assert answer.status_code == 400
    assert "Unsupported parameter: 'tools'." in error_of(answer)["error"]
    assert asked(there) == ["scripted"]


async def test_openais_form_names_the_parameter_that_a_model_does_not_support(there: Surface) -> None:
    await add(there, "scripted")
    error = {"message": "Unsupported parameter: 'n'.", "param": "n", "code": "unsupported_parameter"}
    there.provider.fails["scripted"] = always(400, {"error": error})
    body = {"messages": [{"role": "user", "content": "hi"}], "n": 2}
    answer = await there.http.post("/v1/chat/completions", json=body, headers={"x-stainless-lang": "python"})
    told = answer.json()["error"]
    assert (told["param"], told["code"]) == ("n", "provider_unsupported_parameter")


async def test_without_credit_the_free_models_of_the_same_key_go_on(there: Surface) -> None:
    await add(there, "paid", price=1)
    await add(there, "scripted-e503", priority=1, price=0)
    await add(there, "scripted", priority=2, price=0)
    sentence = "This request requires more credits, or fewer max_tokens."
    there.provider.fails["paid"] = always(402, {"error": {"code": 402, "message": sentence}})
    for attempts in ("3", "1"):
        answer = await chat(there)
        assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, "scripted")
        assert answer.headers["x-gateway-attempts"] == attempts


async def test_of_models_that_rest_together_the_most_preferred_is_asked_first(there: Surface) -> None:
    for priority, name in enumerate(("first", "second", "third", "fourth")):
        await add(there, name, priority=priority)
        there.provider.fails[name] = always(401, {"error": {"message": "no", "code": "invalid_api_key"}})
    await chat(there)
    assert asked(there) == ["first", "second"]
    there.provider.seen.clear()
    await chat(there)
    assert asked(there)[0] == "first"


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ("retry-after-ms: 7000\r\n", {}),
        (f"x-ratelimit-reset: {YEAR_2100 * 1000}\r\n", {}),
        ("", {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]}),
        ("", {"metadata": {"headers": {"X-RateLimit-Reset": str(YEAR_2100)}}}),
    ],
)
async def test_every_way_to_name_a_wait_is_honoured(there: Surface, headers: str, error: dict[str, Any]) -> None:
    await add(there, "limited")
    there.provider.fails["limited"] = always(429, {"error": {"message": "slow down", **error}}, headers)
    answer = await chat(there)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] in ("7", "86400")


async def test_a_long_max_tokens_is_lowered_to_what_fits_and_told(there: Surface) -> None:
    await add(there, "scripted", contextWindow=8_000)
    answer = await chat(there, max_tokens=32_000)
    assert answer.status_code == 200
    sent = there.provider.seen[-1].body["max_tokens"]
    assert 7_000 < sent < 8_000
    assert answer.headers["x-gateway-notice"] == (
        f"max_tokens was lowered from 32000 to {sent} to fit the context window of scripted"
    )


async def test_a_prompt_that_fits_no_window_is_an_overflow_that_names_the_largest(there: Surface) -> None:
    await add(there, "scripted", contextWindow=8_000)
    answer = await chat(there, "word " * 20_000)
    assert (answer.status_code, error_of(answer)["code"]) == (400, "context_length_exceeded")
    assert "maximum context length" in error_of(answer)["error"]
    assert "8000 tokens" in error_of(answer)["error"]
    assert not asked(there)


async def test_what_no_model_can_do_is_refused_for_good(there: Surface) -> None:
    await add(there, "scripted", capabilities={"tools": False})
    answer = await chat(there, tools=[TOOL])
    assert (answer.status_code, error_of(answer)["code"]) == (400, "no_suitable_model")
    assert "it cannot call tools" in error_of(answer)["error"]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "text", "text": 5}, "text"),
        ({"type": "text", "text": None}, "text"),
        ({"type": "image_url", "image_url": 5}, "image_url"),
        ({"type": "input_audio", "input_audio": "x"}, "input_audio"),
        ({"type": "file", "file": []}, "file"),
    ],
)
async def test_a_content_part_of_the_wrong_type_is_refused_by_name(
    there: Surface, part: dict[str, Any], field: str
) -> None:
    await add(there, "scripted")
    answer = await there.http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": [part]}]})
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_request")
    assert f"messages.0.content.0.{field}" in error_of(answer)["error"]
    assert not asked(there)
