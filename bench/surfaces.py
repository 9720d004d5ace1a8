"""CPU of a streamed token on each surface, relative to a relayed one of `/v1/chat/completions`.

`python bench/surfaces.py` shows it; `make bench` writes it into results.md. The surfaces take turns within each round.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filling
import load
from metering import CONNECTIONS, metered
from mock_upstream import STREAM_TOKENS, TOKEN
from processes import Cores
from targets import ANTHROPIC, Target, stage

MOST = 1.1
"""The aim: the most CPU of a translated token relative to a relayed one."""
MAX_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Surface:
    """A way to ask for a stream, and what its end looks like. `copies` is how often each token is in it."""

    name: str
    path: str
    model: str
    payload: Callable[[], Mapping[str, Any]]
    end: bytes
    copies: int = 1

    def request(self, target: Target) -> bytes:
        """The request as it goes over the wire."""
        payload = {"model": self.model, "stream": True, **self.payload()}
        return load.post(target.port, self.path, payload, key=target.key)

    def fault_of(self, status: int, body: bytes) -> str | None:
        """The fault of an answer that lacks a token or the end; None for a good one."""
        if status != 200:
            return f"status {status}: {body[:300]!r}"
        if body.count(TOKEN) != STREAM_TOKENS * self.copies:
            return "tokens missing"
        return None if self.end in body else "no end"


def _messages() -> list[dict[str, str]]:
    return load.conversation(8, load.PROMPT_BYTES)


def _chat() -> Mapping[str, Any]:
    return {"messages": _messages(), "stream_options": {"include_usage": True}}


def _anthropic() -> Mapping[str, Any]:
    return {"messages": _messages(), "max_tokens": MAX_TOKENS}


def _ollama() -> Mapping[str, Any]:
    return {"messages": _messages()}


ANTHROPIC_AS_CHAT = "Chat Completions from Anthropic's Messages"
CHAT, MESSAGES, OLLAMA = "/v1/chat/completions", "/v1/messages", "/api/chat"
SURFACES = (
    Surface("Chat Completions, passed on", CHAT, "mock", _chat, load.DONE),
    Surface(ANTHROPIC_AS_CHAT, CHAT, f"{ANTHROPIC}mock", _chat, load.DONE),
    Surface("Messages, passed on", MESSAGES, f"{ANTHROPIC}mock", _anthropic, b"event: message_stop"),
    Surface("Messages from Chat Completions", MESSAGES, "mock", _anthropic, b"event: message_stop"),
    Surface("Ollama's chat from Chat Completions", OLLAMA, "mock", _ollama, b'"done":true'),
    Surface("Ollama's chat from Anthropic's Messages", OLLAMA, f"{ANTHROPIC}mock", _ollama, b'"done":true'),
)


def measured(gateway: Target, seconds: float) -> dict[str, float]:
    """One round: CPU a token of each surface over that of the first."""
    each = {}
    for surface in SURFACES:
        sample, cpu = metered(
            gateway,
            surface.request(gateway),
            surface.fault_of,
            connections=CONNECTIONS,
            seconds=seconds,
            warm_seconds=0.2,
        )
        if sample.faults:
            raise RuntimeError(f"{surface.name}: {dict(sample.faults)}")
        each[surface.name] = cpu / sample.served
    first = each[SURFACES[0].name]
    return {name: cpu / first for name, cpu in each.items()}


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of all rounds, each surface's middle."""
    return {surface.name: statistics.median(each[surface.name] for each in rounds) for surface in SURFACES}


def table(rounds: Sequence[Mapping[str, float]]) -> str:
    """The section of results.md."""
    lines = [
        "## Surfaces\n",
        f"CPU per token of 64 burst streams, over Chat Completions that are passed on (aim: ≤ ×{MOST}).\n",
        "| surface, and where its tokens come from | CPU per token |",
        "|---|---|",
        *_rows(rounds),
    ]
    return "\n".join(lines)


def _rows(rounds: Sequence[Mapping[str, float]]) -> Iterable[str]:
    for name, ratio in medians(rounds).items():
        spread = [each[name] for each in rounds]
        mark = "✓" if ratio <= MOST else "✗"
        yield f"| {name} | **×{ratio:.2f}** ({min(spread):.2f} to {max(spread):.2f}) {mark} |"


def main() -> None:
    """Measure the surfaces alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    cores = Cores.found()
    with (
        tempfile.TemporaryDirectory(prefix="surfaces-", ignore_cleanup_errors=True) as folder,
        stage(Path(folder), cores) as on,
    ):
        gateway = on.gateway(fill=filling.nothing)
        print(table([measured(gateway, options.seconds) for _ in range(options.rounds)]))


if __name__ == "__main__":
    main()
