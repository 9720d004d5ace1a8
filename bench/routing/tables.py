"""The report's tables, as Markdown."""

from collections.abc import Mapping, Sequence

from bench.routing.own_cost import OwnCost
from bench.routing.scoring import Interval

CONTROLS = ("length", "keywords")
SHARES = ("10 %", "20 %", "30 %", "50 %")


def document(*sections: str) -> str:
    """All of it."""
    title = (
        "# Measured: the complexity estimate\n\nWritten by `make bench-routing`; what follows from it is in README.md."
    )
    return "\n\n".join([title, *sections]) + "\n"


def areas(found: Sequence[tuple[str, Mapping[str, Interval]]]) -> str:
    """Each contest with its verdict against chance and against each control."""
    lines = [
        "## Order at equal cost",
        "",
        "The share of the possible gain that is recovered, averaged over all budgets of extra cost; random is 0.5. In brackets",
        "95 % intervals. `÷ cost` ranks by the expected gain over the cost. `by calls` counts calls instead of cost (APGR).",
        "",
        "| rows | estimate | beats random | length | beats length | keywords | beats keywords | estimate ÷ cost | oracle | by calls: estimate, length |",
        "|---" * 10 + "|",
    ]
    return "\n".join([*lines, *(_contest(name, figures) for name, figures in found)])


def _contest(name: str, figures: Mapping[str, Interval]) -> str:
    cells = [name, str(figures["estimate"]), _verdict(figures["estimate"], 0.5)]
    for control in CONTROLS:
        ahead = figures[f"above {control}"]
        shown = f"{ahead.value:+.3f} [{ahead.low:+.3f}, {ahead.high:+.3f}]"
        cells += [f"{figures[control].value:.3f}", f"{_verdict(ahead, 0)} ({shown})"]
    by_calls = f"{figures['calls'].value:.3f}, {figures['length, calls'].value:.3f}"
    cells += [f"{figures['per cost'].value:.3f}", f"{figures['oracle'].value:.2f}", by_calls]
    return "| " + " | ".join(cells) + " |"


def _verdict(figure: Interval, bar: float) -> str:
    if figure.low > bar:
        return "**yes**"
    return "**worse**" if figure.high < bar else "no"


def qualities(found: Sequence[tuple[str, Mapping[str, Sequence[float]]]]) -> str:
    """Mean answer scores at several shares of strong calls."""
    lines = ["## Answers at equal shares of strong calls", ""]
    for name, curves in found:
        cheap, strong = curves["always cheap, always strong"]
        lines += [f"{name}: always cheap {cheap:.3f}, always strong {strong:.3f}.", ""]
        lines += ["| strong calls | " + " | ".join(SHARES) + " |", "|---|---|---|---|---|"]
        for label, values in curves.items():
            if label != "always cheap, always strong":
                lines.append(f"| {label} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
        lines.append("")
    return "\n".join(lines).rstrip()


def bands(unknown: Mapping[str, Interval], known: Mapping[str, Interval]) -> str:
    """What is gained where the estimate is sure, and where it is not."""
    lines = [
        "## Where it is sure",
        "",
        "Measured gain of the strong model in the lowest 30 % of the scores, the middle (unsure), and the highest 30 %.",
        "",
        "| | kinds held out (intervals over kinds) | known kinds |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *(f"| {name} | {unknown[name]} | {known[name]} |" for name in unknown)])


def tiers(found: Sequence[tuple[str, Mapping[str, Interval]]]) -> str:
    """How everyday prompts are ranked."""
    names = list(found[0][1])
    lines = [
        "## Everyday prompts",
        "",
        "How often a COMPLEX or REASONING prompt ranks above a SIMPLE or a MEDIUM one (labels by hand, no outcomes; 0.5 is chance).",
        "",
        "| | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    return "\n".join(
        [*lines, *(f"| {name} | " + " | ".join(str(figures[n]) for n in names) + " |" for name, figures in found)]
    )


def hard(found: Mapping[str, Mapping[str, str]]) -> str:
    """What is called hard, with the kinds known and with them held out."""
    names = list(found["rows"])
    lines = [
        "## What the router calls hard",
        "",
        "The shares of everyday prompts by tier, and of the benchmark questions; and the measured gain of the strong model.",
        "",
        "| | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    labels = {"rows": "known kinds", "kinds": "kinds held out (intervals over kinds)"}
    return "\n".join([*lines, *(f"| {labels[key]} | {' | '.join(found[key].values())} |" for key in found)])


def cost(own: OwnCost) -> str:
    """Bytes and milliseconds."""
    return "\n".join(
        [
            "## Its own cost",
            "",
            "| weights | code | load | p50 | p99 | a megabyte of code |",
            "|---|---|---|---|---|---|",
            f"| {own.weights / 1e3:.0f} kB | {own.code / 1e3:.0f} kB | {own.load:.1f} ms | {own.median:.2f} ms | {own.p99:.2f} ms | {own.megabyte:.2f} ms |",
        ]
    )
