"""The chart of README.md: bars of CPU time, as SVG. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

Section = Mapping[str, Any]

WIDTH = 760
LABEL_WIDTH = 200
VALUE_WIDTH = 90
BAR_HEIGHT = 20
BAR_STEP = 28
TITLE_HEIGHT = 40
MARGIN = 16
SHORTEST = 2.0
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.note { fill: #59636e; font-size: 12px; }
.ours { fill: #0969da; }
.others { fill: #afb8c1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .note { fill: #9198a1; }
  .ours { fill: #4493f8; }
  .others { fill: #57606a; }
}
"""

OURS = "gateway"
LABELS = {
    "gateway": "this gateway",
    "bare-aiohttp": "bare proxy (aiohttp)",
    "bare-httpx": "bare proxy (httpx)",
    "portkey": "Portkey",
    "litellm": "LiteLLM",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One value; ours stands out."""

    label: str
    value: float
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars on one scale, which begins at 0; shorter is better."""

    title: str
    unit: str
    bars: Sequence[Bar]
    note: str = ""

    @property
    def height(self) -> int:
        """In pixels."""
        return TITLE_HEIGHT + BAR_STEP * len(self.bars) + MARGIN


def panels_of(figures: Mapping[str, Section]) -> list[Panel]:
    """What there are figures for: beside bare proxies, and beside other gateways where they were measured."""
    panels = []
    for section, beside in (("chats", "bare proxies"), ("peers", "other gateways")):
        found = figures.get(section, {})
        titles = {"cpu_ms": ("CPU per chat", "ms"), "token_us": ("CPU per streamed token", "µs")}
        for name, (title, unit) in titles.items():
            bars = _bars(found, name)
            if len(bars) > 1:
                note = f"beside {beside}; everything on, one core, less is better"
                panels.append(Panel(title, unit, bars, note))
    return panels


def _bars(section: Section, name: str) -> list[Bar]:
    values = {key: section[f"{name}:{key}"] for key in LABELS if section.get(f"{name}:{key}") is not None}
    return [Bar(LABELS[key], value, key == OURS) for key, value in sorted(values.items(), key=lambda item: item[1])]


def svg_of(panels: Sequence[Panel]) -> str:
    """The panels below each other, readable on light and on dark."""
    height = sum(panel.height for panel in panels) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape('; '.join(_in_words(panel) for panel in panels))}</title>",
        f"<style>{STYLE}</style>",
    ]
    top = MARGIN
    for panel in panels:
        parts += _drawn(panel, top)
        top += panel.height
    return "\n".join([*parts, "</svg>"]) + "\n"


def _drawn(panel: Panel, top: int) -> list[str]:
    room, most = WIDTH - LABEL_WIDTH - VALUE_WIDTH - MARGIN, max(bar.value for bar in panel.bars)
    parts = [
        f'<text x="{MARGIN}" y="{top + 16}"><tspan class="title">{escape(panel.title)}, {escape(panel.unit)}</tspan>'
        f'<tspan class="note" dx="10">{escape(panel.note)}</tspan></text>'
    ]
    for index, bar in enumerate(panel.bars):
        y = top + TITLE_HEIGHT - 12 + index * BAR_STEP
        width = max(SHORTEST, room * bar.value / most)
        parts += [
            f'<text x="{LABEL_WIDTH - 8}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{LABEL_WIDTH}" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="3" '
            f'class="{"ours" if bar.ours else "others"}"/>',
            f'<text x="{LABEL_WIDTH + width + 6:.1f}" y="{y + 15}">{_number(bar.value)}</text>',
        ]
    return parts


def _in_words(panel: Panel) -> str:
    values = ", ".join(f"{bar.label} {_number(bar.value)}" for bar in panel.bars)
    return f"{panel.title} in {panel.unit}: {values}"


def _number(value: float) -> str:
    """With the digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
