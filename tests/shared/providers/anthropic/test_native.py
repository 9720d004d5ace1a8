"""Requests that came in Anthropic's own dialect: byte for byte the caller's, or not at all."""

from typing import Any

import orjson
import pytest

from shared.domain.chat import Native
from shared.providers.anthropic.native import body_for, headers_for, with_model
from shared.providers.anthropic.traits import Traits, traits_of

OPUS, HAIKU = "claude-opus-5", "claude-haiku-4-5"
HI = {"role": "user", "content": "hi"}


def native(body: bytes | dict[str, Any], **headers: str) -> Native:
    written = body if isinstance(body, bytes) else orjson.dumps(body)
    return Native("messages", written, orjson.loads(written), headers)


def sent(body: bytes | dict[str, Any], model: str = OPUS, *, stream: bool = False) -> Any:
    found = body_for(native(body), model, traits_of(model), stream=stream)
    return None if found is None else orjson.loads(found)


def test_only_the_models_name_changes_and_nothing_is_written_anew() -> None:
    written = b'{ "messages" : [{"role":"user","content":"caf\\u00e9 \\"model\\": 1"}],\n "model" :  "auto", "max_tokens":1e2 }'
    assert with_model(native(written), OPUS) == written.replace(b'"auto"', b'"claude-opus-5"')


@pytest.mark.parametrize(
    "written",
    [
        b'{"model":"a","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"Agent",'
        b'"input":{"model":"sonnet"}}]}]}',
        b'{"model":"a","max_tokens":1,"messages":[],"model":"b"}',
        b'{"mod\\u0065l":"a","max_tokens":1,"messages":[]}',
    ],
)
def test_a_name_that_stands_there_twice_or_disguised_is_the_right_one_all_the_same(written: bytes) -> None:
    found = with_model(native(written), OPUS)
    assert orjson.loads(found) == {**orjson.loads(written), "model": OPUS}
    assert found.count(b'"model":"claude-opus-5"') == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": {"type": "adaptive"}},
        {"output_config": {"effort": "high"}},
        {"messages": [HI, {"role": "system", "content": "x"}]},
    ],
)
def test_what_an_older_model_does_not_take_is_left_to_the_translation(fields: dict[str, Any]) -> None:
    body = {"model": "auto", "max_tokens": 9, "messages": [HI], **fields}
    assert sent(body, HAIKU) is None
    assert sent(body, OPUS) is not None


def test_sampling_is_not_sent_to_models_that_refuse_it() -> None:
    body = {"model": "auto", "max_tokens": 9, "messages": [HI], "temperature": 0.5}
    assert sent(body, OPUS) is None
    assert sent(body, HAIKU) == {**body, "model": HAIKU}


def test_thinking_that_nobody_signed_is_left_out() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    signed = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    text = {"type": "text", "text": "a"}
    body = {
        "model": "auto",
        "max_tokens": 9,
        "messages": [
            HI,
            {"role": "assistant", "content": [thought, text]},
            HI,
            {"role": "assistant", "content": [signed, text]},
            HI,
            {"role": "assistant", "content": [thought]},
        ],
    }
    told = sent(body)["messages"]
    assert [message["content"] for message in told if message["role"] == "assistant"] == [[text], [signed, text]]


def test_a_whole_answer_is_not_asked_for_as_a_stream() -> None:
    body = {"model": "auto", "max_tokens": 9, "messages": [HI], "stream": True}
    assert "stream" not in sent(body)
    assert sent(body, stream=True)["stream"] is True


def test_the_callers_version_and_betas_go_along_and_nothing_else() -> None:
    own = {"x-api-key": "ours", "anthropic-version": "2023-06-01"}
    found = headers_for(native({}, **{"anthropic-beta": "effort-2025-11-24", "authorization": "Bearer theirs"}), own)
    assert found == {**own, "anthropic-beta": "effort-2025-11-24"}


def test_a_model_of_another_vendor_gets_it_as_it_is() -> None:
    body = {"model": "auto", "max_tokens": 9, "messages": [HI], "temperature": 0.5}
    assert body_for(native(body), "glm-5", Traits(), stream=False) is not None
