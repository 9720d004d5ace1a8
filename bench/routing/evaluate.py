"""Judge the complexity estimate on held-out rows against its controls, and write results.md and provenance.json."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.routing import controls, own_cost, predictions, provenance, tables
from bench.routing.hard import hard
from bench.routing.scoring import RESAMPLES, SEED, Interval, Judged, area, area_within, interval, quality_at
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
    hardness = {"rows": predictions.rows_out(rows, data.hard), "kinds": predictions.kinds_out(rows, data.hard)}
    found = [(contest.name, judged(contest, rows)) for contest in contests(rows, held)]
    return tables.document(
        tables.areas(found),
        tables.qualities(qualities(rows, held)),
        tables.bands(bands(rows, held["kinds"], whole_kinds=True), bands(rows, held["rows"], whole_kinds=False)),
        tables.tiers(tiers(rows, held)),
        tables.hard({name: _hard(rows, odds, name) for name, odds in hardness.items()}),
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
    """The measured gain where the estimate is sure that it is low, where it is unsure, and where it is sure of more.

    `beyond length` is how much further apart the two ends are than those of as many short and long prompts.
    """
    measured = [row for row in rows if row.source != "tiers"]
    sample = judged_rows(measured)
    counts = np.vstack([np.ones(len(measured)), sample.resamples(whole_kinds=whole_kinds)])
    ours = _band_means(odds[np.array([row.source != "tiers" for row in rows])], sample.gain, counts)
    lengths = _band_means(controls.length(measured), sample.gain, counts)
    ours["high less low"] = ours["high"] - ours["low"]
    ours["high less low, beyond length"] = ours["high less low"] - (lengths["high"] - lengths["low"])
    return {name: interval(float(means[0]), means[1:][~np.isnan(means[1:])].tolist()) for name, means in ours.items()}


def _hard(rows: list[Row], odds: Array, name: str) -> Mapping[str, str]:
    sample = judged_rows([row for row in rows if row.source != "tiers"])
    return hard(rows, odds, sample, whole_kinds=name == "kinds")


def _band_means(order: Array, gain: Array, counts: Array) -> dict[str, Array]:
    """The mean gain in each band, for each row of counts."""
    ranks = order.argsort(kind="stable").argsort() / len(order)
    places = {"low": ranks < LOW, "unsure": (ranks >= LOW) & (ranks <= HIGH), "high": ranks > HIGH}
    with np.errstate(invalid="ignore"):
        return {name: counts[:, at] @ gain[at] / counts[:, at].sum(1) for name, at in places.items()}


def tiers(rows: list[Row], held: Mapping[str, Array]) -> list[tuple[str, dict[str, Interval]]]:
    """How often a COMPLEX or REASONING prompt is ranked above a SIMPLE one, and above a MEDIUM one."""
    length = controls.length(rows)
    english = np.array([row.language == "en" for row in rows])
    cases = (
        ("kinds held out", held["kinds"], np.ones(len(rows), bool)),
        ("languages other than English, each held out", held["languages"], ~english),
    )
    hard = np.array([row.tier in ("COMPLEX", "REASONING") for row in rows])
    found = []
    for name, odds, chosen in cases:
        figures: dict[str, Interval] = {}
        for tier in ("SIMPLE", "MEDIUM"):
            low = np.array([row.tier == tier for row in rows])
            ours, theirs = (_above_resampled(order, chosen & hard, chosen & low) for order in (odds, length))
            figures[f"above {tier}"] = interval(ours[0], ours[1:].tolist())
            figures[f"beyond length, above {tier}"] = interval(ours[0] - theirs[0], (ours - theirs)[1:].tolist())
        found.append((name, figures))
    return found


def _above_resampled(order: Array, high: NDArray[np.bool_], low: NDArray[np.bool_]) -> Array:
    """The share of pairs in the right order: of all, then of each resample; the same resamples for every order."""
    chance = np.random.default_rng(SEED)
    above, below = order[high], order[low]
    drawn = [
        _above(above[chance.integers(0, len(above), len(above))], below[chance.integers(0, len(below), len(below))])
        for _ in range(RESAMPLES)
    ]
    return np.array([_above(above, below), *drawn])


def _above(high: Array, low: Array) -> float:
    ordered = np.sort(low)
    places = np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")
    return float(places.mean() / 2 / len(low))


if __name__ == "__main__":
    main()
