"""Rows for what a local server offers."""

from shared.domain.models import Capabilities
from shared.providers.base import FoundModel
from shared.registry.discovered import as_models


def test_found_models_are_free_and_in_the_lowest_layer() -> None:
    able = Capabilities(tools=True)
    found = FoundModel(name="qwen3:8b", context_window=40_000, capabilities=able, served_by="ollama http://x")
    (model,) = as_models("oss-local", [found], created=7)
    assert (model.id, model.layer, model.price_per_1k_input_tokens) == ("oss-local/qwen3:8b", "L0", 0)
    assert (model.context_window, model.capabilities, model.owned_by, model.source) == (
        40_000,
        able,
        "ollama",
        "discovered",
    )


def test_names_that_no_id_can_hold_are_left_out() -> None:
    assert as_models("oss-local", [FoundModel(name=name) for name in ("a b", "", "x" * 300, "a\nb")], created=0) == []
