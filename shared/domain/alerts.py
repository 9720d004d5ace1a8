"""What the operator is told of by itself."""

from shared.domain.wire import Money, Timestamp, Wire


class Alert(Wire):
    """A limit on spending that has been reached. `kind` is stable, for programs; `message` is a sentence."""

    at: Timestamp
    kind: str
    message: str
    spent_usd: Money
    threshold_usd: Money
