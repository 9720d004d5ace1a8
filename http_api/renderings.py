"""Answers in another form than JSON: which one a client wants."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from http_api.errors import HttpError
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
    """The form for a `format` parameter and an Accept header; None is JSON.

    Raises InvalidInput, or HttpError when the client takes none of the forms that there are.
    """
    if asked is not None:
        if asked != JSON and asked not in renderings:
            raise invalid_field(FORMAT, f"it must be one of {', '.join((JSON, *renderings))}")
        return renderings.get(asked)
    if not renderings and (not accept or accept == "*/*"):
        return None
    weights = _weights(accept)
    best, weight = None, next((weights[media] for media in JSON_RANGES if media in weights), 0.0)
    for rendering in renderings.values():
        own = weights.get(rendering.media.partition(";")[0], 0.0)
        if own > weight:
            best, weight = rendering, own
    if weight == 0 and "/" in accept:
        forms = ", ".join((JSON_RANGES[0], *(rendering.media for rendering in renderings.values())))
        raise HttpError(406, "not_acceptable", f"This can be had as {forms}; the Accept header takes none of it.")
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
        return min(max(0.0, float(text)), 1.0)
    except ValueError:
        return 0.0
