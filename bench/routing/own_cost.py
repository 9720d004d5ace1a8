"""What the estimate itself costs: bytes, and milliseconds of processor time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from shared.routing.complexity.estimate import Complexity
from shared.routing.complexity.weights import FILE, HARDNESS_FILE

PAGE = "def place(self, x): return {x: [y for y in self.items if y != x]}\n"


@dataclass(frozen=True, slots=True)
class OwnCost:
    """Sizes in bytes, times in milliseconds."""

    weights: int
    code: int
    load: float
    median: float
    p99: float
    megabyte: float


def measured(prompts: Sequence[str]) -> OwnCost:
    """Over all prompts of the data, and over a megabyte of code."""
    folder = resources.files("shared.routing.complexity")
    code = sum(len(file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".py"))
    began = time.thread_time()
    complexity = Complexity.load()
    load = time.thread_time() - began
    times = sorted(_seconds(complexity, prompt) for prompt in prompts)
    large = sorted(_seconds(complexity, PAGE * (1_000_000 // len(PAGE))) for _ in range(50))
    figures = (load, times[len(times) // 2], times[len(times) * 99 // 100], large[len(large) // 2])
    size = sum(len((folder / name).read_bytes()) for name in (FILE, HARDNESS_FILE))
    return OwnCost(size, code, *(figure * 1e3 for figure in figures))


def _seconds(complexity: Complexity, text: str) -> float:
    began = time.thread_time()
    complexity.estimate(text)
    return time.thread_time() - began
