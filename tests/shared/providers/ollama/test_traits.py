"""What a server says about its models."""

from typing import Any

import pytest

from shared.providers.ollama.traits import Traits, loaded_context, traits_of

INFO = {"general.architecture": "qwen3", "qwen3.context_length": 40_960}


def test_the_models_own_context_and_that_of_its_modelfile() -> None:
    shown = {"model_info": INFO, "parameters": 'stop    "<|im_start|>"\nnum_ctx                        32768\ntop_k 20'}
    assert traits_of(shown) == Traits(longest=40_960, preset=32_768)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"capabilities": ["completion", "thinking"], "model_info": INFO}, (True, False)),
        ({"capabilities": ["thinking"], "model_info": {"general.architecture": "gptoss"}}, ("low", "medium", "high")),
        ({"capabilities": ["thinking"], "thinking": {"values": ["low", "max"]}}, ("low", "max")),
        ({"capabilities": ["completion"], "thinking": {"values": [False]}}, ()),
        ({"capabilities": ["thinking"], "thinking": {"values": "all"}}, (True, False)),
        ({"capabilities": ["completion"]}, ()),
    ],
)
def test_how_a_model_thinks(shown: dict[str, Any], expected: tuple[bool | str, ...]) -> None:
    assert traits_of(shown).thinking == expected


@pytest.mark.parametrize(
    "shown", [None, [], "x", {}, {"model_info": 1, "parameters": 2, "capabilities": 3, "thinking": 4}]
)
def test_what_is_odd_counts_as_unknown(shown: Any) -> None:
    assert traits_of(shown) == Traits()


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        (
            {"models": [{"name": "other:1b", "context_length": 1}, {"name": "qwen3:latest", "context_length": 8_192}]},
            8_192,
        ),
        ({"models": [{"name": "qwen3", "context_length": 4_096}]}, 4_096),
        ({"models": [{"name": "qwen3"}]}, 0),
        ({"models": [{"name": "qwen3:8b", "context_length": 4_096}, 7]}, 0),
        ({"models": None}, 0),
        (None, 0),
    ],
)
def test_the_window_that_is_loaded(running: Any, expected: int) -> None:
    assert loaded_context(running, "qwen3") == expected
