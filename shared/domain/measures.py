"""What a process measures, as plain values: counters, gauges and histograms with their labels."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

SECONDS = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    *(163.84, 327.68, 655.36),
)
"""Upper bounds of the buckets for durations: those of OpenTelemetry's GenAI conventions, and three for long answers."""

TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""Upper bounds of the buckets for token counts, as in OpenTelemetry's GenAI conventions."""

Kind = Literal["counter", "gauge", "histogram"]


class Distribution:
    """A histogram of observed values. `counts` has one count for each bucket, the last one for values above all bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def sample(self) -> "Sample":
        """Its state now, without labels."""
        return Sample((), self.total, tuple(self.counts))


class Sample(NamedTuple):
    """One value with its labels. Of a histogram `value` is the sum, and `counts` has a count for each bucket."""

    labels: tuple[str, ...]
    value: float
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All values of one name. A counter's name ends in `_total`. `labels` names the labels of its samples.

    `everywhere` says that the value is the same in every worker, since it is stored in one place.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    bounds: tuple[float, ...] = ()
    everywhere: bool = False

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Family":
        """From its form in JSON. Raises KeyError, TypeError, ValueError."""
        samples = tuple(
            Sample(tuple(labels), float(amount), tuple(counts)) for labels, amount, counts in value["samples"]
        )
        kept = {name: value[name] for name in ("name", "kind", "help", "everywhere")}
        return cls(**kept, labels=tuple(value["labels"]), samples=samples, bounds=tuple(value["bounds"]))

    def to_json(self) -> dict[str, Any]:
        """Its form in JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "help": self.help,
            "labels": self.labels,
            "samples": [tuple(sample) for sample in self.samples],
            "bounds": self.bounds,
            "everywhere": self.everywhere,
        }


def counter(name: str, text: str, values: Mapping[Any, Any] | float, labels: tuple[str, ...] = ()) -> Family:
    """A counter: one value, or one for each label or tuple of labels."""
    return Family(name=name, kind="counter", help=text, labels=labels, samples=_samples(values))


def gauge(
    name: str, text: str, values: Mapping[Any, Any] | float, labels: tuple[str, ...] = (), *, everywhere: bool = False
) -> Family:
    """A gauge: one value, or one for each label or tuple of labels."""
    samples = _samples(values)
    return Family(name=name, kind="gauge", help=text, labels=labels, samples=samples, everywhere=everywhere)


def histogram(
    name: str,
    text: str,
    values: Mapping[Any, Distribution],
    labels: tuple[str, ...],
    bounds: tuple[float, ...] = SECONDS,
) -> Family:
    """A histogram for each tuple of labels, which are the keys of `values`."""
    samples = tuple(found.sample._replace(labels=key) for key, found in values.items())
    return Family(name=name, kind="histogram", help=text, labels=labels, samples=samples, bounds=bounds)


def merged(workers: Mapping[str, list[Family]]) -> list[Family]:
    """The families of several workers as one list, each sample with the label `worker`.

    A family that is the same everywhere is taken from the first worker that has it.
    """
    found: dict[str, Family] = {}
    for worker, families in sorted(workers.items()):
        for family in families:
            known = found.get(family.name)
            if family.everywhere:
                found.setdefault(family.name, family)
                continue
            samples = tuple(sample._replace(labels=(worker, *sample.labels)) for sample in family.samples)
            if known is None:
                found[family.name] = replace(family, labels=("worker", *family.labels), samples=samples)
            else:
                found[family.name] = replace(known, samples=(*known.samples, *samples))
    return list(found.values())


def _samples(values: Mapping[Any, Any] | float) -> tuple[Sample, ...]:
    if not isinstance(values, Mapping):
        return (Sample((), float(values)),)
    return tuple(Sample(key if isinstance(key, tuple) else (str(key),), float(value)) for key, value in values.items())
