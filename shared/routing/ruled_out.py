"""Whom the failures of a request rule out for the rest of it: on a real way through the models and on a replayed one."""

from shared.domain.models import Model
from shared.routing.treatment import Next


class RuledOut:
    """Models whose context window is no bigger than one that was too small, and providers whose rules refused it."""

    def __init__(self) -> None:
        self._too_small = 0
        self._providers: set[str] = set()

    def add(self, model: Model, then: Next) -> None:
        """The model failed, and so somebody else may be asked."""
        if then == "bigger":
            self._too_small = max(self._too_small, model.context_window or 0)
        elif then == "elsewhere":
            self._providers.add(model.provider)

    def __contains__(self, model: Model) -> bool:
        return model.provider in self._providers or 0 < (model.context_window or 0) <= self._too_small
