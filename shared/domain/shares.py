"""How the traffic of `auto` should spread over the layers: `L0=70,L1=20,L2=8,L3=2`."""

from shared.domain.models import LAYERS, Layer

Shares = dict[Layer, float]
"""Wished parts of the requests by layer, from 0 to 1, together 1."""


def parse_shares(text: str) -> Shares:
    """The shares that a text of percentages names; a layer left out gets none. Raises ValueError with what to write."""
    found: Shares = dict.fromkeys(LAYERS, 0.0)
    seen: set[str] = set()
    for part in filter(None, (item.strip() for item in text.split(","))):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        layer = next((layer for layer in LAYERS if layer == name.upper()), None)
        if layer is None or not equals or layer in seen:
            raise ValueError(f"must name each layer at most once, as in L0=70,L1=20,L2=8,L3=2, not '{part}'")
        seen.add(layer)
        found[layer] = _percentage(layer, number) / 100
    if abs(sum(found.values()) - 1) > 0.0001:
        raise ValueError("must add up to 100, as in L0=70,L1=20,L2=8,L3=2")
    return found


def _percentage(layer: Layer, text: str) -> float:
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise ValueError(f"the share of {layer} must be a percentage from 0 to 100")
    return number
