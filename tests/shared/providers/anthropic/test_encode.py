"""Whole requests."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.chat import FIELD_RULES, ROLES, ChatRequest
from shared.errors import InvalidInput, Unsupported
from shared.providers.anthropic.encode import BINDING_BETA, Encoded, encode

OLD = "claude-3-5-haiku-latest"
BUDGET = "claude-sonnet-4-5"
ADAPTIVE = "claude-opus-4-6"
SILENT = "claude-opus-4-8"
DEFAULT_ON = "claude-opus-5"
ALWAYS_ON = "claude-opus-5-5"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
HELLO = [{"role": "user", "content": "Hi"}]


def request(model: str = BUDGET, **fields: Any) -> dict[str, Any]:
    return whole(model, **fields).body


def whole(model: str = BUDGET, **fields: Any) -> Encoded:
    return encode({"messages": HELLO, **fields}, model=model, stream=False)


def test_the_smallest_request() -> None:
    assert request() == {
        "model": BUDGET,
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }
    assert encode({"messages": HELLO}, model=BUDGET, stream=True).body["stream"] is True


def test_the_limit_of_tokens_is_the_callers_or_the_models_own() -> None:
    assert request(max_tokens=5)["max_tokens"] == 5
    assert request(max_tokens=5, max_completion_tokens=7)["max_tokens"] == 7
    assert request("claude-3-haiku-20240307")["max_tokens"] == 4096
    assert request(ALWAYS_ON)["max_tokens"] == 32_000


def test_what_only_openai_knows_is_left_out() -> None:
    body = request(
        logit_bias={"1": 2},
        seed=1,
        logprobs=True,
        top_logprobs=2,
        presence_penalty=1,
        frequency_penalty=1,
        n=1,
        store=True,
        stream_options={"include_usage": True},
        stream=True,
        metadata={"team": "a"},
        prediction={},
        verbosity="low",
        mcp_servers=[{}],
    )
    assert body.keys() == {"model", "max_tokens", "messages"}


def test_what_anthropic_knows_goes_through() -> None:
    mark = {"type": "ephemeral"}
    body = request(top_k=5, cache_control=mark, container="c", inference_geo="us", service_tier="auto")
    assert body["top_k"] == 5
    assert (body["cache_control"], body["container"], body["inference_geo"], body["service_tier"]) == (
        mark,
        "c",
        "us",
        "auto",
    )


@pytest.mark.parametrize(("tier", "sent"), [("default", "standard_only"), ("flex", None), ("priority", None)])
def test_service_tiers_are_translated(tier: str, sent: str | None) -> None:
    assert request(service_tier=tier).get("service_tier") == sent


def test_betas_become_a_header_and_let_their_fields_through() -> None:
    found = whole(anthropic_beta=["mcp-client-2025-11-20"], mcp_servers=[{"name": "m"}])
    assert found.betas == ("mcp-client-2025-11-20",)
    assert found.body["mcp_servers"] == [{"name": "m"}]
    assert "anthropic_beta" not in found.body


@pytest.mark.parametrize("value", ["x", ["a\r\nx-evil: 1"], [1]])
def test_a_beta_that_is_no_name_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="anthropic_beta"):
        whole(anthropic_beta=value)


def test_sampling_follows_what_the_model_takes() -> None:
    assert request(OLD, temperature=1.7, top_p=0.5)["temperature"] == 1
    assert request(OLD, temperature=0, top_p=0.5)["top_p"] == 0.5
    assert request(OLD, temperature=0)["temperature"] == 0
    both = request(BUDGET, temperature=0.3, top_p=0.5)
    assert both["temperature"] == 0.3
    assert "top_p" not in both
    assert request(BUDGET, top_p=0.5)["top_p"] == 0.5
    assert request(SILENT, temperature=0.3, top_p=0.5, top_k=3).keys() == {"model", "max_tokens", "messages"}


def test_stops_are_sent_unless_empty() -> None:
    assert request(stop="END")["stop_sequences"] == ["END"]
    assert request(stop=["a", "\nb", ""])["stop_sequences"] == ["a", "\nb"]
    assert "stop_sequences" not in request(stop="")


@pytest.mark.parametrize("stop", ["\n", ["END", " \n"]])
def test_a_stop_at_blanks_alone_is_unsupported_rather_than_lost(stop: Any) -> None:
    with pytest.raises(Unsupported, match="'stop'"):
        whole(stop=stop)


def test_the_user_is_sent_as_an_opaque_id() -> None:
    assert request(user="user-1")["metadata"] == {"user_id": "user-1"}
    assert request(safety_identifier="abc")["metadata"] == {"user_id": "abc"}
    assert request(metadata={"user_id": "mine"}, user="other")["metadata"] == {"user_id": "mine"}
    for private in ("ann@example.org", "+49 151 1234567", "4915112345", "x" * 300):
        sent = request(user=private)["metadata"]["user_id"]
        assert len(sent) == 64
        assert private not in sent


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "sent"),
    [
        (OLD, "high", None, None),
        (BUDGET, "minimal", {"type": "enabled", "budget_tokens": 1024}, None),
        (BUDGET, "high", {"type": "enabled", "budget_tokens": 12_288}, None),
        (BUDGET, "none", None, None),
        (ADAPTIVE, "minimal", {"type": "adaptive"}, "low"),
        (ADAPTIVE, "xhigh", {"type": "adaptive"}, "high"),
        (ADAPTIVE, "max", {"type": "adaptive"}, "max"),
        (ADAPTIVE, "none", None, None),
        (SILENT, "xhigh", {"type": "adaptive", "display": "summarized"}, "xhigh"),
        (SILENT, "none", None, None),
        (DEFAULT_ON, "none", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
        (ALWAYS_ON, "none", None, "low"),
        (ALWAYS_ON, "medium", {"type": "adaptive", "display": "summarized"}, "medium"),
        (BUDGET, "some-other-word", None, None),
        (BUDGET, None, None, None),
    ],
)
def test_reasoning_effort_becomes_thinking(model: str, effort: Any, thinking: Any, sent: Any) -> None:
    body = request(model, reasoning_effort=effort)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == sent


def test_openrouters_reasoning_object_counts_too() -> None:
    assert request(ADAPTIVE, reasoning={"effort": "low"})["output_config"] == {"effort": "low"}


def test_a_budget_leaves_room_for_the_answer() -> None:
    assert request(reasoning_effort="high")["max_tokens"] == 12_288 + 8192
    tight = request(reasoning_effort="high", max_completion_tokens=4000)
    assert tight["thinking"]["budget_tokens"] == 2000
    assert tight["max_tokens"] == 4000
    least = request(reasoning_effort="high", max_tokens=1100)
    assert least["thinking"]["budget_tokens"] == 1024
    assert "thinking" not in request(reasoning_effort="high", max_tokens=1024)


def test_thinking_drives_out_sampling() -> None:
    assert "temperature" not in request(reasoning_effort="low", temperature=0.2)
    assert request(reasoning_effort="none", temperature=0.2)["temperature"] == 0.2


@pytest.mark.parametrize("model", [BUDGET, ADAPTIVE, DEFAULT_ON])
def test_a_forced_tool_drives_out_thinking(model: str) -> None:
    body = request(model, reasoning_effort="max", tools=[TOOL], tool_choice="required")
    assert body["tool_choice"] == {"type": "any"}
    assert "thinking" not in body
    assert body.get("output_config", {}).get("effort") in (None, "high")


def test_a_budget_is_left_out_when_a_call_lost_its_thinking() -> None:
    messages = [
        *HELLO,
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    assert "thinking" not in request(reasoning_effort="high", messages=messages, tools=[TOOL])
    assert request(ADAPTIVE, reasoning_effort="high", messages=messages, tools=[TOOL])["thinking"]


def test_the_callers_own_thinking_goes_through() -> None:
    own = {"type": "enabled", "budget_tokens": 2000}
    body = request(thinking=own, temperature=0.3)
    assert body["thinking"] == own
    assert body["max_tokens"] > 2000
    assert "temperature" not in body


def test_thinking_bound_to_an_older_history_is_dropped_rather_than_refused() -> None:
    thought = {"type": "reasoning.text", "text": "", "signature": "sig", "format": "anthropic-claude-v1"}
    messages = [*HELLO, {"role": "assistant", "content": "x", "reasoning_details": [thought]}, *HELLO]
    found = whole(ALWAYS_ON, messages=messages)
    assert found.body["thinking"] == {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    assert found.betas == (BINDING_BETA,)
    assert whole(DEFAULT_ON, messages=messages).betas == ()
    assert whole(ALWAYS_ON).betas == ()


def test_a_schema_becomes_an_output_format_beside_the_effort() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    config = request(ADAPTIVE, response_format=asked, reasoning_effort="low")["output_config"]
    assert config == {"format": {"type": "json_schema", "schema": schema}, "effort": "low"}
    own = request(ADAPTIVE, response_format=asked, output_config={"format": {"type": "json_schema", "schema": {}}})
    assert own["output_config"]["format"]["schema"] == {}


def test_an_instruction_for_json_follows_the_callers_system_prompt() -> None:
    body = request(messages=[{"role": "system", "content": "S"}, *HELLO], response_format={"type": "json_object"})
    assert [block["text"][:6] for block in body["system"]] == ["S", "Answer"]


def test_a_choice_that_the_model_refuses_is_said_in_the_system_prompt() -> None:
    body = request(ALWAYS_ON, tools=[TOOL], tool_choice="required", reasoning_effort="high")
    assert body["tool_choice"] == {"type": "auto"}
    assert "call" in body["system"][0]["text"]
    assert body["thinking"]["type"] == "adaptive"


def test_several_answers_are_unsupported() -> None:
    with pytest.raises(Unsupported, match="'n'"):
        whole(n=2)
    with pytest.raises(Unsupported, match="modalities"):
        whole(modalities=["text", "audio"])


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "x", "text", "function", "data:,x"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "text", "function", "name", "parameters", "id", "image_url", "file", "format"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)
MESSAGE_FIELDS = st.sampled_from(
    ["content", "tool_calls", "function_call", "name", "refusal", "reasoning_details", "anthropic_content"]
)
TOP_FIELDS = st.sampled_from(
    ["tools", "functions", "tool_choice", "response_format", "reasoning", "thinking", "stop", "metadata", "modalities"]
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    st.sampled_from(sorted(ROLES)),
    st.dictionaries(MESSAGE_FIELDS, JSON, max_size=4),
    st.dictionaries(TOP_FIELDS, JSON, max_size=3),
    st.sampled_from([OLD, BUDGET, SILENT, ALWAYS_ON]),
)
def test_no_payload_breaks_the_encoder(role: str, message: dict[str, Any], fields: dict[str, Any], model: str) -> None:
    try:
        parsed = ChatRequest.parse({"messages": [*HELLO, {**message, "role": role}, *HELLO], **fields})
        encoded = encode(parsed.payload, model=model, stream=False)
    except InvalidInput:
        return
    assert orjson.loads(orjson.dumps(encoded.body))["messages"]


KNOWN = {
    "model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "stop_sequences",
    "metadata", "temperature", "top_p", "top_k", "cache_control", "container", "diagnostics", "inference_geo", "speed",
    "user_profile_id", "service_tier", "stream",
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*sorted(FIELD_RULES), "anything", "reasoning"]), st.none()),
    st.sampled_from([OLD, BUDGET, ADAPTIVE, SILENT, DEFAULT_ON, ALWAYS_ON, "kimi-k3"]),
    st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh", "max"]),
    st.sampled_from([None, "auto", "none", "required"]),
    st.one_of(st.none(), st.integers(1, 100_000)),
    st.one_of(st.none(), st.floats(0, 2)),
)
def test_no_request_holds_what_anthropic_does_not_know(
    nulls: dict[str, None], model: str, effort: Any, choice: Any, limit: int | None, temperature: float | None
) -> None:
    fields = {
        **nulls,
        "messages": HELLO,
        "reasoning_effort": effort,
        "tools": [TOOL],
        "tool_choice": choice,
        "max_tokens": limit,
        "temperature": temperature,
    }
    body = encode(fields, model=model, stream=True).body
    assert body.keys() <= KNOWN
    assert None not in body.values()
    assert body["max_tokens"] > body.get("thinking", {}).get("budget_tokens", 0)
    assert orjson.loads(orjson.dumps(body)) == body


def test_a_whole_request_becomes_the_one_that_is_written_down(transcript: Callable[[str], bytes]) -> None:
    """System, images, files, thinking, parallel calls and their results, each with its cache marks."""
    payload = orjson.loads(transcript("request.json"))
    found = encode(payload, model="claude-opus-4-6", stream=True)
    assert found.body == orjson.loads(transcript("request.expected.json"))
    assert payload == orjson.loads(transcript("request.json"))
