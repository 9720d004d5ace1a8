"""Training: the same bytes from the same rows, in every process, and weights that know what the rows say."""

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.router.rows import LARGE, SMALL, load
from scripts.router.training import Matrix, fit, odds_of, train
from shared.routing.complexity.estimate import Complexity, chance, expected_gain
from shared.routing.complexity.weights import decode, encode

ROOT = Path(__file__).parents[3]
EASY = ("name the colour of {}", "what is {}", "spell {}", "translate {} to French")
HARD = ("prove the theorem about {}", "derive the bound for {}", "design the {} system", "implement {} in Rust")
THINGS = ("apples", "rivers", "engines", "queues", "letters", "numbers", "planets", "trees", "words", "rings")


def rows(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Made up: a weak model fails on whatever HARD asks for, and on a few others."""
    chance = random.Random(seed)
    prompts = [(form.format(thing), form in HARD) for form in (*EASY, *HARD) for thing in THINGS]
    found: dict[str, list[dict[str, Any]]] = {"pairs": [], "models": [], "tiers": []}
    for number, (prompt, hard) in enumerate(prompts):
        weak = float(chance.random() < (0.1 if hard else 0.9))
        group = f"kind-{number % 7}"
        common = {"id": f"made-{number}", "group": group, "prompt": prompt, "weak": weak, "strong": 1.0}
        found["pairs"].append(common)
        scores = dict.fromkeys(SMALL, weak) | dict.fromkeys(LARGE, 1.0)
        found["models"].append({**common, "id": f"many-{number}", "models": scores})
        tier = "COMPLEX" if hard else "SIMPLE"
        found["tiers"].append({"id": f"tier-{number}", "group": group, "lang": "en", "prompt": prompt, "tier": tier})
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for source, lines in rows(7).items():
        with gzip.open(tmp_path / f"{source}-train.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return tmp_path


def trained(folder: Path, name: str, **environment: str) -> bytes:
    out = folder / name
    command = [sys.executable, "-m", "scripts.train_router", str(folder), "--out", str(out)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, capture_output=True, timeout=120)
    return out.read_bytes() + out.with_suffix(".hardness.bin").read_bytes()


def test_the_same_rows_give_the_same_bytes_in_any_process_and_any_order(folder: Path) -> None:
    first = trained(folder, "first.bin", PYTHONHASHSEED="1", OMP_NUM_THREADS="1", TZ="UTC")
    for path in folder.glob("*.gz"):
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join(reversed(lines))))
    assert trained(folder, "second.bin", PYTHONHASHSEED="2", OMP_NUM_THREADS="2", TZ="Asia/Tokyo") == first
    halves = first[: len(first) // 2], first[len(first) // 2 :]
    assert b"".join(encode(decode(half)) for half in halves) == first


def test_what_was_trained_ranks_what_it_was_not_shown(folder: Path) -> None:
    weights = train(Matrix.of(load(folder)))
    complexity = Complexity(decode(encode(weights)), fit(Matrix.of(load(folder)).hard))
    hard, easy = complexity.estimate("prove the theorem about lamps"), complexity.estimate("what is a lamp")
    assert hard.score > easy.score + 0.05
    assert (hard.hardness or 0) > 0.5 > (easy.hardness or 0)


def test_the_estimate_does_the_arithmetic_of_the_training(folder: Path) -> None:
    found = load(folder)
    data = Matrix.of(found)
    weights = train(data)
    hardness = fit(data.hard)
    complexity = Complexity(weights, hardness)
    expected = [expected_gain(float(odds)) for odds in odds_of(weights, data)]
    assert [complexity.estimate(row.prompt).score for row in found] == pytest.approx(expected, abs=1e-9)
    chances = [chance(float(odds)) for odds in odds_of(hardness, data)]
    assert [complexity.estimate(row.prompt).hardness for row in found] == pytest.approx(chances, abs=1e-9)
