"""What a connection gets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds and sizes that a connection gets. `connections` counts HTTP and WebSocket together."""

    connections: int = 1000
    header_seconds: float = 10
    header_bytes: int = 64 * 1024
    body_seconds: float = 60
    stall_seconds: float = 120

    @property
    def shortest_seconds(self) -> float:
        """The shortest of the times."""
        return min(self.header_seconds, self.body_seconds, self.stall_seconds)
