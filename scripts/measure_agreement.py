"""Measures how well the agreement check compares answers: `python scripts/measure_agreement.py DATA.jsonl [--misses]`.

Each row of the data has a `question`, `answers`, and `results`: what a reader says each answer comes to, in one form, null for
none. Two answers to a question with the same result are to agree; two with different results are not, nor are two answers of
which one has no result. Every pair is compared in both directions. Answers to different questions are compared too, as
pairs that must not agree, unless they have the same result.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

from shared.routing.checks.likeness import alike


class Pair(NamedTuple):
    """Two answers to compare, and whether their results are the same."""

    kind: str
    question: str
    one: str
    other: str
    same: bool


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--misses", action="store_true", help="Print the pairs that were judged wrongly.")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.data.read_text(encoding="utf-8").splitlines() if line]
    for name, pairs in (("one question", own_pairs(rows)), ("two questions", cross_pairs(rows))):
        print(name, report(list(pairs), misses=options.misses))


def own_pairs(rows: Iterable[dict[str, Any]]) -> Iterator[Pair]:
    """The pairs of answers to one question, in both directions."""
    for row in rows:
        for (one, mine), (other, theirs) in permutations(zip(row["answers"], row["results"], strict=True), 2):
            same = mine is not None and mine == theirs
            yield Pair(row.get("kind", "prose"), row["question"], one, other, same)


def cross_pairs(rows: list[dict[str, Any]]) -> Iterator[Pair]:
    """The first answers of two rows with different results, in both directions; both questions are given in turn."""
    for one, other in permutations(rows, 2):
        if one["results"][0] != other["results"][0]:
            yield Pair("cross", one["question"], one["answers"][0], other["answers"][0], same=False)


def report(pairs: list[Pair], *, misses: bool) -> str:
    """The figures of some pairs."""
    lines = []
    for kind in sorted({pair.kind for pair in pairs}):
        found = Counter[tuple[bool, str]]()
        for pair in (pair for pair in pairs if pair.kind == kind):
            verdict = alike(pair.one, pair.other, pair.question)
            found[pair.same, verdict] += 1
            if misses and pair.same != (verdict == "same"):
                print(json.dumps({"verdict": verdict, **pair._asdict()}, ensure_ascii=False))
        lines.append(f"{kind}: {_figures(found)}")
    return "\n  ".join(lines)


def _figures(found: Counter[tuple[bool, str]]) -> str:
    alike_pairs = sum(count for (same, _), count in found.items() if same)
    others = sum(count for (same, _), count in found.items() if not same)
    right, wrong = found[True, "same"], found[False, "same"]
    return (
        f"recall {right}/{alike_pairs} ({_share(right, alike_pairs)}), false accepts {wrong}/{others} "
        f"({_share(wrong, others)}), unclear {found[True, 'unclear'] + found[False, 'unclear']}"
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


if __name__ == "__main__":
    main()
