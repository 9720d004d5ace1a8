"""What was measured is what the report says."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Script = Callable[[str], ModuleType]
SCALE = {"direct": 1, "bare-httpx": 30, "bare-aiohttp": 10, "gateway": 20}


@pytest.fixture
def results(script: Script) -> Any:
    """Three rounds, in which the gateway costs twice what the bare proxy does."""
    report, load, starts, processes = (script(name) for name in ("report", "load", "starts", "processes"))

    def sample(cost: float, *, tokens: bool = False) -> Any:
        times = [cost / 1000] * 100
        return load.Sample(seconds=1.0, latencies=times, first_tokens=times if tokens else [], served=100)

    def phases(cost: float) -> Any:
        return report.Phases(
            one=sample(cost),
            many=sample(cost),
            paced=sample(cost, tokens=True),
            burst=sample(cost, tokens=True),
            many_cpu=cost / 100,
            paced_cpu=cost / 100,
            burst_cpu=cost / 100,
            stream_tokens=200,
        )

    found = report.Results(cores=processes.Cores(None, None))
    found.rounds = [{name: phases(cost * slow) for name, cost in SCALE.items()} for slow in (1, 3, 1)]
    found.memory = {name: report.Memory(100.0, 103.0) for name in SCALE}
    found.endurance = report.Endurance(50_000, 102.0, 103.0)
    found.commands, found.starts = starts.Commands(4.0, 1.0), starts.Starts(2.0, 1.0, 0.5, 0.5)
    names = [surface.name for surface in script("surfaces").SURFACES]
    found.surfaces = [dict.fromkeys(names, ratio) for ratio in (1.0, 1.2, 1.05)]
    found.idle_stream_kb = 40.0
    return found


def test_figures_are_medians_and_ratios_of_rounds(script: Script, results: Any) -> None:
    figures = script("report").figures_of(results)
    assert figures["cpu_ms"] == 2.0
    assert figures["cpu_ms:bare-aiohttp"] == 1.0
    assert figures["added_p50_ms"] == pytest.approx(19)
    assert figures["rss_growth_percent"] == 3.0
    assert figures["anthropic_ratio"] == 1.05


def test_every_figure_of_this_run_that_an_aim_names_is_there(script: Script, results: Any) -> None:
    from bench.aims import AIMS

    wanted = {aim.figure[1] for aim in AIMS if aim.figure[0] == "chats"}
    assert wanted <= script("report").figures_of(results).keys()


def test_the_report_has_aims_chats_processes_and_what_is_left_behind(script: Script, results: Any) -> None:
    report = script("report")
    figures = {
        "chats": {**report.figures_of(results), "taken": "today"},
        "soak": {"left": "nothing", "table": "| | before |\n|---|---|\n| tasks | 13 |", "taken": "yesterday"},
    }
    text = report.rendered(results, figures)
    for title in (
        "## Aims",
        "## Chats",
        "## Surfaces",
        "## The processes",
        "## What is left behind",
        "## Circumstances",
    ):
        assert title in text
    assert "| tasks | 13 |" in text
    assert "chats: today; soak: yesterday." in text
    assert "wrong answers: none" in text


def test_wrong_answers_are_told(script: Script, results: Any) -> None:
    results.rounds[0]["gateway"].many.faults["no end"] += 2
    assert "gateway: no end: 2" in script("report").rendered(results, {})


def test_figures_of_one_benchmark_replace_only_its_own(script: Script, tmp_path: Any) -> None:
    figures = script("figures")
    path = tmp_path / "figures.json"
    figures.keep("growth", {"models_ratio": 1.5}, path)
    figures.keep("scaling", {"wall": 1.1}, path)
    found = figures.keep("growth", {"models_ratio": 1.0}, path)
    assert found == figures.kept(path)
    assert found["growth"]["models_ratio"] == 1.0
    assert found["scaling"]["wall"] == 1.1
    assert "load average" in found["growth"]["taken"]
