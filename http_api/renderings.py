"""Answers in another form than JSON: which one a client wants."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import invalid_field

FORMAT = "format"
"""The query parameter that says it without a header, for links."""

JSON = "json"
JSON_RANGES = ("application/json", "application/*", "*/*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A form that a result can also be had in; browsers save it under `filename`."""

    media: str
    filename: str
    render: Callable[[Any], bytes]


Renderings = Mapping[str, Rendering]
"""By the name that `format` calls them."""


def chosen(renderings: Renderings, asked: str | None, accept: str) -> Rendering | None:
    """The form for a `format` parameter and an Accept header; None is JSON. Raises InvalidInput."""
    if asked is not None:
        if asked != JSON and asked not in renderings:
            raise invalid_field(FORMAT, f"it must be one of {', '.join((JSON, *renderings))}")
        return renderings.get(asked)
    weights = _weights(accept)
    best, weight = None, max(weights.get(media, 0.0) for media in JSON_RANGES)
    for rendering in renderings.values():
        own = weights.get(rendering.media.partition(";")[0], 0.0)
        if own > weight:
            best, weight = rendering, own
    return best


def _weights(accept: str) -> dict[str, float]:
    """The media ranges of an Accept header with their weights (RFC 9110, 12.5.1)."""
    weights: dict[str, float] = {}
    for item in accept.lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        weights[media] = next((_weight(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
    return weights


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
