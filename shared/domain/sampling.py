"""Which traces are recorded: the samplers of OpenTelemetry's specification, decided once for each request. Pure."""

from typing import Literal

SamplerName = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]
PARENT_BASED = "parentbased_"
RANDOM = 16
"""Hexadecimal digits of a trace id that are random by every specification: the last 16."""


class Sampler:
    """Decides by the trace's id, so that all processes of a trace decide the same.

    `ratio` counts for the samplers by ratio only.
    """

    __slots__ = ("_below", "_follows")

    def __init__(self, name: SamplerName = "parentbased_always_on", ratio: float = 1.0) -> None:
        parts = {"always_on": 1.0, "always_off": 0.0, "traceidratio": ratio}
        self._follows = name.startswith(PARENT_BASED)
        self._below = int(parts[name.removeprefix(PARENT_BASED)] * 16**RANDOM)

    def takes(self, trace_id: str, parent_is_sampled: bool | None) -> bool:
        """Return whether a trace is recorded; `parent_is_sampled` is None for a request that names no parent."""
        if self._follows and parent_is_sampled is not None:
            return parent_is_sampled
        return int(trace_id[-RANDOM:], 16) < self._below
