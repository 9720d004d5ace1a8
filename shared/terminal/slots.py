"""Places for sessions and commands: how many there are in all, and for each caller."""

from collections import Counter

from shared.errors import RateLimited

RETRY_AFTER = 30
OWN = "This is the limit of one caller."


class Slots:
    """Places that are taken before anything is awaited, so that no rush of callers gets past the limits."""

    def __init__(self, total: int, per_owner: int) -> None:
        self._total = total
        self._per_owner = per_owner
        self._taken: Counter[str] = Counter()

    def take(self, owner: str, code: str, what: str) -> None:
        """Raises RateLimited."""
        if self._taken[owner] >= self._per_owner:
            raise self.refusal(code, what, own=True)
        if self._taken.total() >= self._total:
            raise self.refusal(code, what, own=False)
        self._taken[owner] += 1

    def taken(self) -> dict[str, int]:
        """How many places each owner has."""
        return dict(self._taken)

    def refusal(self, code: str, what: str, *, own: bool) -> RateLimited:
        """The error for an owner who has too many, or for all together."""
        whose = f"All {self._per_owner} of your" if own else f"All {self._total} of the gateway's"
        return RateLimited(f"{whose} {what}.", code=code, retry_after=RETRY_AFTER, details=OWN if own else "")

    def give_back(self, owner: str) -> None:
        self._taken[owner] -= 1
        if not self._taken[owner]:
            del self._taken[owner]
