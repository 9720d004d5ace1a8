"""Registry rows for models that a local server offers. Pure."""

import re
from collections.abc import Iterable
from decimal import Decimal

from shared.domain.models import Model
from shared.providers.base import FoundModel

PRIORITY = 100
"""After the seed's free models, before the embedded one; operators may reorder."""


def as_models(provider: str, found: Iterable[FoundModel], created: int) -> list[Model]:
    """Free models of layer L0; names that no id can hold are left out."""
    return [
        Model(
            id=f"{provider}/{model.name}",
            provider=provider,
            api_model_name=model.name,
            layer="L0",
            priority=PRIORITY,
            price_per_1k_input_tokens=Decimal(0),
            price_per_1k_output_tokens=Decimal(0),
            context_window=model.context_window,
            capabilities=model.capabilities,
            created=created,
            owned_by=model.served_by.split(" ")[0],
            source="discovered",
        )
        for model in found
        if re.fullmatch(r"[A-Za-z0-9_@~.:/+\-]{1,150}", model.name)
    ]
