"""The name of a kept answer: what changes it and what does not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.chat import ChatRequest
from shared.domain.identity import LOCAL, Caller
from shared.domain.routing import RoutingOptions
from shared.errors import InvalidInput
from shared.routing.caching.cache_key import ALL, NO_MATTER, key_of, prefix_of

BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}


def key(body: dict[str, Any], caller: Caller = LOCAL, terms: str = "") -> str:
    return key_of(caller, ChatRequest.parse(body), terms)


CHANGES: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "hi "}]},
    {"messages": [{"role": "system", "content": "hi"}]},
    {"messages": [{"role": "user", "content": "hi", "name": "x"}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
    {"model": "L0"},
    {"stream": True},
    {"stream": True, "stream_options": {"include_usage": True}},
    {"temperature": 0.6},
    {"temperature": None},
    {"top_p": 0.5},
    {"n": 2},
    {"stop": "x"},
    {"seed": 1},
    {"max_tokens": 5},
    {"max_completion_tokens": 5},
    {"logit_bias": {"5": 1}},
    {"logprobs": True},
    {"tools": [{"type": "function"}]},
    {"tool_choice": "none"},
    {"response_format": {"type": "json_object"}},
    {"response_format": {"type": "json_schema", "json_schema": {"schema": {"a": 1, "b": 2}}}},
    {"response_format": {"type": "json_schema", "json_schema": {"schema": {"b": 2, "a": 1}}}},
    {"reasoning_effort": "low"},
    {"user": "x"},
    {"metadata": {"x": "y"}},
    {"a_field_of_tomorrow": False},
]
MATTERING_OPTIONS: dict[str, Any] = {
    "maxLayer": "L2",
    "minLayer": "L1",
    "quality": "high",
    "crossCheck": True,
    "selfCheck": True,
    "agreement": 2,
    "escalate": True,
    "escalation": "confirm",
    "hedge": True,
    "allowPaid": True,
    "budgetUsd": 1,
    "session": "x",
}


def test_whatever_could_change_the_answer_changes_the_key() -> None:
    bodies = [BODY, *({**BODY, **change} for change in CHANGES)]
    bodies += [{**BODY, "gateway": {name: value}} for name, value in MATTERING_OPTIONS.items()]
    assert len({key(body) for body in bodies}) == len(bodies)


@pytest.mark.parametrize(
    "same",
    [
        {"model": "auto"},
        {"stream": False},
        {"gateway": {}},
        {"gateway": {"cache": True, "cacheControl": "max-age=5", "timeoutMs": 5, "tags": {"a": "b"}}},
    ],
)
def test_what_is_said_anyway_or_concerns_only_waiting_and_booking_does_not(same: dict[str, Any]) -> None:
    assert key({**BODY, **same}) == key(BODY)
    assert key(dict(reversed(BODY.items()))) == key(BODY)


def test_of_each_option_it_is_said_whether_it_matters() -> None:
    fields = RoutingOptions.model_fields
    mattering = {field.alias for name, field in fields.items() if name not in NO_MATTER}
    assert mattering == set(MATTERING_OPTIONS)


def test_callers_share_nothing_and_neither_do_their_rights() -> None:
    other = replace(LOCAL, id="key:1")
    callers = [
        LOCAL,
        other,
        replace(other, models=frozenset({"a", "b"})),
        replace(other, models=frozenset({"a"})),
        replace(other, models=frozenset()),
        replace(other, max_layer="L1"),
    ]
    assert len({key(BODY, caller) for caller in callers}) == len(callers)
    assert key(BODY, other) == key(
        BODY, replace(other, name="renamed", address="10.0.0.1", request_id="r", token_id="t")
    )


def test_terms_of_the_gateway_count() -> None:
    assert key(BODY, terms="L0") != key(BODY, terms="L1")


def test_a_key_begins_with_its_callers_prefix_and_shows_nothing_of_what_was_asked() -> None:
    found = key({"messages": [{"role": "user", "content": "secret"}]}, replace(LOCAL, id="käse * \n"))
    assert found.startswith(prefix_of(replace(LOCAL, id="käse * \n")))
    assert found.startswith(ALL)
    assert found.isascii()
    assert len(found) < 120
    assert not prefix_of(LOCAL).startswith(prefix_of(replace(LOCAL, id="loca")))


def test_a_body_that_cannot_be_written_is_refused() -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(InvalidInput):
        key({**BODY, "x": deep})


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@UNHURRIED
@given(st.dictionaries(texts.map(lambda name: f"x_{name}"), values, max_size=4), st.randoms())
def test_the_order_of_fields_does_not_matter(fields: dict[str, Any], random: Any) -> None:
    items = [*BODY.items(), *fields.items()]
    shuffled = random.sample(items, len(items))
    assert key(dict(shuffled)) == key(dict(items))


@UNHURRIED
@given(texts, texts)
def test_no_two_texts_have_the_same_key(one: str, other: str) -> None:
    keys = [key({"messages": [{"role": "user", "content": text}]}) for text in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
