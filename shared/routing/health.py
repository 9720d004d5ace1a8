"""How each deployment, a model with one of its keys, has been lately: breakers, and how fast it answers."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from shared.domain.models import Model
from shared.errors import UpstreamError
from shared.routing.treatment import cooldown, treatment

DECAY_SECONDS = 10.0
FADE_SECONDS = 60.0
"""What is not asked is not known: after minutes without an answer a slow one is worth another try."""

KEPT_TIMES = 64
FEWEST_TIMES = 16
HALF_OPEN_SECONDS = 1.0
TROUBLE_SECONDS = 60.0
BARRED_SECONDS = 3600.0


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    until: float = 0.0
    reason: str = ""
    probing: bool = False
    barred: bool = False


@dataclass(slots=True)
class _Speed:
    """Peak-EWMA of the seconds to an answer: it jumps up with a slow one and comes down over time.

    `times` are the last ones, of whole answers and of the first content of streams.
    """

    peak: float = 0.0
    at: float = 0.0
    busy: int = 0
    troubled: float = -math.inf
    times: tuple[deque[float], deque[float]] = field(
        default_factory=lambda: (deque(maxlen=KEPT_TIMES), deque(maxlen=KEPT_TIMES))
    )


class Health:
    """One breaker for each deployment, one for each key as a whole, and one for what costs money with that key.

    `bills` says whether a model costs money: without credit a key still reaches the free models of its provider.
    Failures open a breaker for longer and longer. When its time is up it is half open: one request tries, and the
    others stay away until that one has an answer. A success closes it.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, bills: Callable[[Model], bool] = lambda _: True
    ) -> None:
        self.now = clock
        self._bills = bills
        self._breakers: dict[tuple[str, int], _Breaker] = {}
        self._speeds: dict[str, _Speed] = {}

    @property
    def all_well(self) -> bool:
        """Whether no breaker is open anywhere."""
        return not self._breakers

    def cooling(self, model: Model, key: int = 0, *, now: float | None = None) -> float:
        """Seconds until the model should be tried again with that key; 0 when it may be now.

        To compare models, pass one reading of the clock for all of them: those whose cooldowns end together then tie.
        """
        if not self._breakers:
            return 0.0
        now = self.now() if now is None else now
        return max(self._left(name, now) for name in self._names(model, key))

    def reason(self, model: Model, key: int = 0) -> str:
        """Why it is cooling."""
        for name in self._names(model, key):
            if (breaker := self._breakers.get(name)) and self._left(name) > 0:
                return breaker.reason
        return ""

    def began(self, model: Model, key: int = 0) -> None:
        """The model is being asked."""
        self._speed(model).busy += 1
        for name in self._names(model, key) if self._breakers else ():
            if (breaker := self._breakers.get(name)) and breaker.until <= self.now():
                breaker.probing = True

    def ended(self, model: Model, key: int = 0) -> None:
        """It is not any more, however that came."""
        self._speed(model).busy -= 1
        for name in self._names(model, key) if self._breakers else ():
            if breaker := self._breakers.get(name):
                breaker.probing = False

    def succeeded(self, model: Model, key: int = 0) -> None:
        """The model answered."""
        if self._breakers:
            if not self.barred(model, key):  # an answer that was under way already is no reason to trust it again
                self._breakers.pop((model.id, key), None)
            for name in self._names(model, key)[1:]:
                self._breakers.pop(name, None)

    def answered_after(self, model: Model, seconds: float, *, stream: bool) -> None:
        """How long its whole answer, or the first content of its stream, took to come."""
        speed, now = self._speed(model), self.now()
        fade = math.exp(-(now - speed.at) / DECAY_SECONDS)
        speed.peak = seconds if seconds > speed.peak else speed.peak * fade + seconds * (1 - fade)
        speed.at = now
        speed.times[stream].append(seconds)

    def failed(self, model: Model, error: UpstreamError, key: int = 0) -> None:
        """The model failed; whoever must rest for it does."""
        rests = treatment(error).rests
        if rests == "nobody":
            return
        now = self.now()
        self._speed(model).troubled = now
        self._open((model.id, key), error, now)
        # The model rests by itself too, in case it is only there that the key is refused.
        if rests == "key" or (rests == "credit" and not self._bills(model)):
            self._open((_of_provider(model), key), error, now)
        elif rests == "credit":
            self._open((_of_credit(model), key), error, now)

    def bar(self, model: Model, key: int, reason: str) -> None:
        """Keep a model away for an hour that must not be asked again before somebody has looked."""
        until = self.now() + BARRED_SECONDS
        self._breakers[model.id, key] = _Breaker(failures=1, until=until, reason=reason, barred=True)

    def start_anew(self, models: Iterable[str]) -> None:
        """These models are not what they were: nothing is held against them any more."""
        for name in models:
            self._forget(name)
            if (speed := self._speeds.get(name)) is not None:
                speed.troubled = -math.inf

    def keys_start_anew(self, providers: Iterable[str]) -> None:
        """These providers are called with other keys, or elsewhere: those that rest were the old ones."""
        for provider in providers:
            for name in _whole_names(provider):
                self._forget(name)

    def barred(self, model: Model, key: int = 0) -> bool:
        """Whether it must not be asked, not even when nobody else is left."""
        breaker = self._breakers.get((model.id, key))
        return breaker is not None and breaker.barred and self._left((model.id, key)) > 0

    def rank(self, model: Model) -> tuple[bool, float]:
        """For choosing among equals, the least first: in trouble lately or not, and the expected seconds to an answer."""
        speed = self._speeds.get(model.id)
        if speed is None:
            return False, 0.0
        now = self.now()
        faded = speed.peak * math.exp(-(now - speed.at) / FADE_SECONDS)
        return now - speed.troubled < TROUBLE_SECONDS, faded * (speed.busy + 1)

    def slow_after(self, model: Model, *, stream: bool) -> float | None:
        """The seconds within which 95 % of its answers came lately; None while too little is known."""
        speed = self._speeds.get(model.id)
        if speed is None or len(speed.times[stream]) < FEWEST_TIMES:
            return None
        times = sorted(speed.times[stream])
        return times[math.ceil(0.95 * len(times)) - 1]

    def cooling_models(self) -> dict[str, float]:
        """Everything that is cooling, with the seconds left: models, `provider:…` for a key with all its models, and
        `credit:…` for a key with those that cost money.
        """
        found: dict[str, float] = {}
        for name, key in tuple(self._breakers):
            left = self._left((name, key))
            if left > 0:
                found[name if key == 0 else f"{name} (key {key + 1})"] = left
        return found

    def resting_keys(self, provider: str) -> dict[int, tuple[float, str]]:
        """The keys of a provider that rest, with all its models or with those that cost money: by number, the seconds
        left and the code of the failure.
        """
        found: dict[int, tuple[float, str]] = {}
        for name in sorted(name for name in tuple(self._breakers) if name[0] in _whole_names(provider)):
            if (left := self._left(name)) > found.get(name[1], (0.0, ""))[0]:
                found[name[1]] = left, self._breakers[name].reason
        return dict(sorted(found.items()))

    def _names(self, model: Model, key: int) -> Sequence[tuple[str, int]]:
        """The breakers that may keep a model away, its own first."""
        names = ((model.id, key), (_of_provider(model), key))
        return (*names, (_of_credit(model), key)) if self._bills(model) else names

    def _open(self, name: tuple[str, int], error: UpstreamError, now: float) -> None:
        breaker = self._breakers.setdefault(name, _Breaker())
        if breaker.until <= now:  # many requests that fail in the same trouble count once
            breaker.failures += 1
        breaker.reason = error.code
        breaker.until = max(breaker.until, now + cooldown(error, breaker.failures))

    def _forget(self, name: str) -> None:
        for place in [known for known in self._breakers if known[0] == name]:
            del self._breakers[place]

    def _left(self, name: tuple[str, int], now: float | None = None) -> float:
        breaker = self._breakers.get(name)
        if breaker is None:
            return 0.0
        left = breaker.until - (self.now() if now is None else now)
        if left <= 0 and breaker.probing:
            return HALF_OPEN_SECONDS
        return max(left, 0.0)

    def _speed(self, model: Model) -> _Speed:
        speed = self._speeds.get(model.id)
        if speed is None:
            speed = self._speeds[model.id] = _Speed()
        return speed


def _of_provider(model: Model) -> str:
    return _whole_names(model.provider)[0]


def _of_credit(model: Model) -> str:
    return _whole_names(model.provider)[1]


def _whole_names(provider: str) -> tuple[str, str]:
    """The breakers of a key as a whole, and of what costs money with it."""
    return f"provider:{provider}", f"credit:{provider}"
