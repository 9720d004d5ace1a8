"""The aims of the gateway, each beside what was reached and what limits it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One line: a bound on a figure, and a better one. `show` puts the figure into words."""

    what: str
    figure: tuple[str, str]
    bound: float
    beyond: float | None = None
    unit: str = ""
    more_is_better: bool = False
    show: Callable[[float], str] = "{:.2f}".format
    run: str = "bench"
    limits: str

    def line(self, figures: Figures) -> str:
        """Its line of the table."""
        sign = "≥" if self.more_is_better else "≤"
        beyond = "-" if self.beyond is None else f"{sign} {self.beyond:g}"
        section, name = self.figure
        value = figures.get(section, {}).get(name)
        reached = f"not measured yet: `make {self.run}`" if value is None else self._reached(float(value))
        return f"| {self.what} | {sign} {self.bound:,g}{self.unit} | {beyond} | {reached} | {self.limits} |"

    def _reached(self, value: float) -> str:
        return f"**{self.show(value)}{self.unit}** {self._mark(value)}"

    def _mark(self, value: float) -> str:
        if self.beyond is not None and self._holds(value, self.beyond):
            return "✓✓"
        return "✓" if self._holds(value, self.bound) else "✗"

    def _holds(self, value: float, bound: float) -> bool:
        return value >= bound if self.more_is_better else value <= bound


AIMS = (
    Aim(
        what="CPU per whole chat, 64 connections",
        figure=("chats", "cpu_ms"),
        bound=0.25,
        beyond=0.12,
        unit=" ms",
        show="{:.3f}".format,
        limits="Python's calls: about 350 of our own functions for each chat, spread evenly; then the kernel's sockets",
    ),
    Aim(
        what="requests/s on one core, 64 connections",
        figure=("chats", "rps"),
        bound=4000,
        unit="",
        more_is_better=True,
        show="{:,.0f}".format,
        limits="the same: it is what a core holds of the line above, less what else the machine does",
    ),
    Aim(
        what="added latency at 1 connection, p50",
        figure=("chats", "added_p50_ms"),
        bound=0.5,
        beyond=0.3,
        unit=" ms",
        limits="the CPU of one chat, and one more turn of the event loop and of the scheduler in each direction",
    ),
    Aim(
        what="added latency at 1 connection, p99",
        figure=("chats", "added_p99_ms"),
        bound=2,
        beyond=1,
        unit=" ms",
        limits="the threads of the log and the database, which want the interpreter while a chat is answered",
    ),
    Aim(
        what="64 paced streams: added time to first token, p50",
        figure=("chats", "ttft_ms"),
        bound=8,
        beyond=3,
        unit=" ms",
        show="{:.1f}".format,
        limits="64 streams begin at the same moment: the median one waits for half of the others' beginnings",
    ),
    Aim(
        what="64 paced streams: CPU per token",
        figure=("chats", "token_us"),
        bound=30,
        beyond=18,
        unit=" µs",
        show="{:.1f}".format,
        limits="one read and one write of the kernel for each token; a bare proxy pays them too",
    ),
    Aim(
        what="burst relay, tokens/s",
        figure=("chats", "burst_tokens"),
        bound=150_000,
        beyond=200_000,
        more_is_better=True,
        show="{:,.0f}".format,
        limits="looking for usage and errors in what passes; the kernel's copies",
    ),
    Aim(
        what="1,000 streams at once: memory for each",
        figure=("chats", "idle_stream_kb"),
        bound=60,
        beyond=30,
        unit=" kB",
        show="{:.0f}".format,
        limits="two transports, two parsers, the chain of coroutines, and the request until its first token",
    ),
    Aim(
        what="memory when ready",
        figure=("chats", "rss_ready_mib"),
        bound=130,
        beyond=100,
        unit=" MiB",
        show="{:.0f}".format,
        limits="imports: MCP's SDK, the database layer, pydantic's models, the price list",
    ),
    Aim(
        what="memory after 50,000 requests, above ready",
        figure=("chats", "rss_growth_percent"),
        bound=5,
        beyond=2,
        unit=" %",
        show="{:+.1f}".format,
        limits="first use, not the number: SQLite's page caches (1 MiB for each of 4 connections), pools of connections, the most "
        "rows that ever waited, the most streams at once; see *Memory* below",
    ),
    Aim(
        what="memory, the last 45,000 of 50,000 requests",
        figure=("soak", "chats_percent"),
        bound=5,
        beyond=2,
        unit=" %",
        show="{:+.1f}".format,
        run="bench-soak",
        limits="nothing is kept of a request after it ends",
    ),
    Aim(
        what="`serve`: start to first answer",
        figure=("chats", "serve_s"),
        bound=1.5,
        beyond=0.9,
        unit=" s",
        limits="imports",
    ),
    Aim(
        what="two workers against one, by CPU, PostgreSQL and Redis",
        figure=("scaling", "speedup"),
        bound=1.7,
        beyond=1.9,
        more_is_better=True,
        show="×{:.2f}".format,
        run="bench-scaling",
        limits="nothing that is shared costs more with a second worker; [how it is measured](scaling-results.md)",
    ),
    Aim(
        what="the same by requests/s on this machine",
        figure=("scaling", "wall"),
        bound=1.7,
        beyond=1.9,
        more_is_better=True,
        show="×{:.2f}".format,
        run="bench-scaling",
        limits="two cores also carry the load, the mock, Redis and PostgreSQL: one worker already keeps most of both busy",
    ),
    Aim(
        what="10,000 models in the registry: CPU per chat against 10",
        figure=("growth", "models_ratio"),
        bound=1.25,
        show="×{:.2f}".format,
        run="bench-growth",
        limits="unchanged within what a shared machine disturbs",
    ),
    Aim(
        what="10⁶ usage rows: CPU per chat against 10⁴",
        figure=("growth", "usage_chat_ratio"),
        bound=1.25,
        show="×{:.2f}".format,
        run="bench-growth",
        limits="unchanged; rows are only added",
    ),
    Aim(
        what="10⁶ usage rows: `GET /v1/usage` by day, its 30 days",
        figure=("growth", "usage_month_last"),
        bound=100,
        unit=" ms",
        show="{:.0f}".format,
        run="bench-growth",
        limits="720 hours that are summed up, for each caller, and the rows of the two that are not",
    ),
    Aim(
        what="translated from Anthropic's dialect: CPU per token of a burst against passing on",
        figure=("chats", "anthropic_ratio"),
        bound=2,
        show="×{:.2f}".format,
        limits="to translate an event costs about what it costs to look through one for usage and errors; the rest is the kernel's",
    ),
)


def table(figures: Figures) -> str:
    """All aims. ✓✓ is beyond the aim, ✓ reached, ✗ missed."""
    lines = ["| | aim | beyond | reached | what limits it |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(aim.line(figures) for aim in AIMS)])
