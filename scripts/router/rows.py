"""The training data: prompts with what weak and strong models made of them, or with a hand-made tier."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

Source = Literal["pairs", "models", "tiers"]
SOURCES: tuple[Source, ...] = ("pairs", "models", "tiers")

TIERS: Mapping[str, float] = {"SIMPLE": 0.0, "MEDIUM": 0.08, "COMPLEX": 0.12, "REASONING": 0.14}
"""The gain that a tier is taken to mean: a choice, not a measurement. Most measured kinds gain 0 to 0.3; a tier above that
would rank designs and stories over the mathematics and code where strong models are known to gain.
"""

HARDNESS: Mapping[str, float] = {"SIMPLE": 0.0, "MEDIUM": 0.3, "COMPLEX": 0.9, "REASONING": 1.0}
"""How hard a tier is taken to be: a choice as well, so that half way lies between MEDIUM and COMPLEX."""

FACTS = ("trivia_qa", "natural_qa", "openbook_qa", "commonsense_qa", "arc_challenge", "commongen")
"""Kinds of short questions that a weak model fails for want of a fact, or of luck, and not because they are hard."""

SMALL = ("qwen2.5-7b-instruct", "llama-3.1-8b-instruct", "gemma-2-9b-it", "mistral-7b-instruct-v0.3")
LARGE = ("llama-3.3-nemotron-super-49b-v1", "llama-3.1-nemotron-51b-instruct")


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt. `gain` is what is learnt, in [-1, 1]: how much better the strong answer scored, or what a tier means.

    `weak` and `strong` are the scores themselves, in [0, 1], where there are any.
    """

    id: str
    source: Source
    group: str
    language: str
    prompt: str
    gain: float
    weak: float = 0.0
    strong: float = 0.0
    tier: str = ""

    @property
    def kind(self) -> str:
        """The kind of task, for holding whole kinds out: the same under every source."""
        return "mmlu" if self.source == "pairs" and self.group != "gsm8k" else self.group


def hardness(row: Row) -> float:
    """How hard a prompt is, 0 to 1: its tier, or how far a weak model falls short; of facts, what a strong one gains."""
    if row.tier:
        return HARDNESS[row.tier]
    return max(0.0, row.gain) if row.kind in FACTS else 1 - row.weak


def load(folder: Path) -> list[Row]:
    """All rows, in the order of their ids."""
    rows = [_row(source, fields) for source in SOURCES for fields in _lines(folder / f"{source}-train.jsonl.gz")]
    return sorted(rows, key=lambda row: (SOURCES.index(row.source), row.id))


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _row(source: Source, fields: Mapping[str, Any]) -> Row:
    common = (fields["id"], source, fields["group"], fields.get("lang", "en"), fields["prompt"])
    if source == "tiers":
        return Row(*common, gain=TIERS[fields["tier"]], tier=fields["tier"])
    weak, strong = float(fields["weak"]), float(fields["strong"])
    if models := fields.get("models"):
        weak, strong = (fmean(models[name] for name in names) for names in (SMALL, LARGE))
    return Row(*common, gain=strong - weak, weak=weak, strong=strong)
