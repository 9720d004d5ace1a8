"""Judge the complexity estimate on held-out rows against its controls, and write results.md and provenance.json."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.routing import controls, own_cost, predictions, provenance, tables
from bench.routing.scoring import Interval, Judged, area, area_within, interval, quality_at
from scripts.router.boosting import Array, sigmoid
from scripts.router.rows import Row, load
from scripts.router.training import HIGH, LOW, Matrix

RESULTS = Path(__file__).with_name("results.md")

ANSWER_TOKENS = 250.0
CHARACTERS_PER_TOKEN = 4.0
SHARES = (0.1, 0.2, 0.3, 0.5)

Area = Callable[[Array, Judged, Array], float]


@dataclass(frozen=True, slots=True)
class Contest:
    """The estimate and its controls on some rows. `whole_kinds`: the interval is over kinds instead of rows."""

    name: str
    chosen: NDArray[np.bool_]
    orders: Mapping[str, Array]
    whole_kinds: bool = False
    within: bool = False


def main() -> None:
    """About five minutes, nearly all of it training anew with something held out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with pairs-train, models-train and tiers-train (.jsonl.gz)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the report goes")
    options = parser.parse_args()
    rows = load(options.data)
    provenance.FILE.write_text(provenance.provenance(options.data), "utf-8")
    options.out.write_text(report(rows), "utf-8")


def report(rows: list[Row]) -> str:
    """The whole report as Markdown."""
    data = Matrix.of(rows)
    held = {
        "rows": predictions.rows_out(rows, data),
        "kinds": predictions.kinds_out(rows, data),
        "subjects": predictions.subjects_out(rows, data),
        "languages": predictions.languages_out(rows, data),
    }
    found = [(contest.name, judged(contest, rows)) for contest in contests(rows, held)]
    return tables.document(
        tables.areas(found),
        tables.qualities(qualities(rows, held)),
        tables.bands(bands(rows, held["kinds"], whole_kinds=True), bands(rows, held["rows"], whole_kinds=False)),
        tables.tiers(tiers(rows, held)),
        tables.cost(own_cost.measured([row.prompt for row in rows])),
    )


def contests(rows: list[Row], held: Mapping[str, Array]) -> list[Contest]:
    """What is asked of the estimate, from the kinds it knows to those that it does not."""
    pairs = np.array([row.source == "pairs" for row in rows])
    models = np.array([row.source == "models" for row in rows])
    gsm8k = np.array([row.kind == "gsm8k" for row in rows])
    others = {"length": controls.length(rows), "keywords": controls.keywords(rows)}

    def orders(name: str) -> dict[str, Array]:
        return {"estimate": held[name], **others}

    return [
        Contest("MMLU, its subjects known", pairs & ~gsm8k, orders("rows")),
        Contest("MMLU, subjects held out", pairs & ~gsm8k, orders("subjects")),
        Contest("MMLU, held out whole", pairs & ~gsm8k, orders("kinds")),
        Contest("GSM8K, known", pairs & gsm8k, orders("rows")),
        Contest("GSM8K, held out whole", pairs & gsm8k, orders("kinds")),
        Contest("13 kinds together, known", models, orders("rows")),
        Contest("13 kinds together, each held out", models, orders("kinds"), whole_kinds=True),
        Contest("inside each of 13 kinds, known", models, orders("rows"), within=True),
        Contest("inside each of 13 kinds, held out", models, orders("kinds"), within=True, whole_kinds=True),
    ]


def judged(contest: Contest, rows: list[Row]) -> dict[str, Interval]:
    """The area of each order, and by how much the estimate is above each control and above chance."""
    sample = judged_rows([row for row, chosen in zip(rows, contest.chosen, strict=True) if chosen])
    measure: Area = area_within if contest.within else area
    counts = sample.resamples(whole_kinds=contest.whole_kinds)
    ones = np.ones(len(sample.gain))
    scores = {name: order[contest.chosen] for name, order in contest.orders.items()}
    scores["per cost"] = (2 * sigmoid(scores["estimate"]) - 1) / sample.cost
    values = {name: measure(score, sample, ones) for name, score in scores.items()}
    resampled = {name: np.array([measure(score, sample, count) for count in counts]) for name, score in scores.items()}
    found = {name: interval(values[name], resampled[name].tolist()) for name in scores}
    found["calls"] = Interval(measure(scores["estimate"], replace(sample, cost=ones), ones), 0, 0)
    found["length, calls"] = Interval(measure(scores["length"], replace(sample, cost=ones), ones), 0, 0)
    found["oracle"] = Interval(measure(sample.gain / sample.cost, sample, ones), 0, 0)
    for control in scores.keys() - {"estimate"}:
        ahead = resampled["estimate"] - resampled[control]
        found[f"above {control}"] = interval(values["estimate"] - values[control], ahead.tolist())
    return found


def judged_rows(rows: list[Row]) -> Judged:
    """Gain, cost and kind. A call costs its prompt and an answer of usual length, in tokens."""
    kinds = sorted({row.kind for row in rows})
    return Judged(
        np.array([row.gain for row in rows]),
        np.array([len(row.prompt) / CHARACTERS_PER_TOKEN + ANSWER_TOKENS for row in rows]),
        np.array([kinds.index(row.kind) for row in rows]),
    )


def qualities(rows: list[Row], held: Mapping[str, Array]) -> list[tuple[str, dict[str, list[float]]]]:
    """Mean scores of the answers at several shares of strong calls."""
    found = []
    for name, source, kind in (("MMLU", "pairs", "mmlu"), ("GSM8K", "pairs", "gsm8k"), ("13 kinds", "models", "")):
        chosen = np.array([row.source == source and kind in ("", row.kind) for row in rows])
        picked = [row for row, taken in zip(rows, chosen, strict=True) if taken]
        sample, weak = judged_rows(picked), np.array([row.weak for row in picked])
        orders = {
            "estimate, known kinds": held["rows"][chosen],
            "estimate, unknown kinds": held["kinds"][chosen],
            "length": controls.length(picked),
            "oracle": sample.gain,
        }
        curves = {
            label: [quality_at(order, sample, weak, share) for share in SHARES] for label, order in orders.items()
        }
        curves["random"] = [float(weak.mean() + share * sample.gain.mean()) for share in SHARES]
        curves["always cheap, always strong"] = [float(weak.mean()), float((weak + sample.gain).mean())]
        found.append((name, curves))
    return found


def bands(rows: list[Row], odds: Array, *, whole_kinds: bool) -> dict[str, Interval]:
    """The measured gain where the estimate is sure that it is low, where it is unsure, and where it is sure of more."""
    measured = np.array([row.source != "tiers" for row in rows])
    sample = judged_rows([row for row in rows if row.source != "tiers"])
    ranks = odds[measured].argsort().argsort() / measured.sum()
    counts = sample.resamples(whole_kinds=whole_kinds)
    places = {"low": ranks < LOW, "unsure": (ranks >= LOW) & (ranks <= HIGH), "high": ranks > HIGH}
    found = {}
    for name, place in places.items():
        sums = counts[:, place].sum(1)
        means = (counts[:, place] * sample.gain[place]).sum(1)[sums > 0] / sums[sums > 0]
        found[name] = interval(float(sample.gain[place].mean()), means.tolist())
    difference = [_contrast(sample.gain, count, places["high"], places["low"]) for count in counts]
    ones = np.ones(len(sample.gain))
    found["high less low"] = interval(_contrast(sample.gain, ones, places["high"], places["low"]), difference)
    return found


def _contrast(gain: Array, counts: Array, high: NDArray[np.bool_], low: NDArray[np.bool_]) -> float:
    means = [(counts[part] * gain[part]).sum() / max(1.0, counts[part].sum()) for part in (high, low)]
    return float(means[0] - means[1])


def tiers(rows: list[Row], held: Mapping[str, Array]) -> list[tuple[str, dict[str, float]]]:
    """How often a COMPLEX or REASONING prompt is ranked above a SIMPLE one, and above a MEDIUM one."""
    length = controls.length(rows)
    english = np.array([row.language == "en" for row in rows])
    cases = (
        ("kinds held out", held["kinds"], np.ones(len(rows), bool)),
        ("languages other than English, each held out", held["languages"], ~english),
    )
    found = []
    for name, odds, chosen in cases:
        figures = {}
        for label, order in (("estimate", odds), ("length", length)):
            hard, simple, medium = (
                order[chosen & np.array([row.tier in names for row in rows])]
                for names in (("COMPLEX", "REASONING"), ("SIMPLE",), ("MEDIUM",))
            )
            figures[f"{label}: above SIMPLE"] = _above(hard, simple)
            figures[f"{label}: above MEDIUM"] = _above(hard, medium)
        found.append((name, figures))
    return found


def _above(high: Array, low: Array) -> float:
    ordered = np.sort(low)
    places = np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")
    return float(places.mean() / 2 / len(low))


if __name__ == "__main__":
    main()
