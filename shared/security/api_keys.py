"""Gateway API keys: random secrets of which only a hash is kept."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from shared.domain.budgets import Period
from shared.domain.identity import KEY_PREFIX, Caller, Scope
from shared.domain.keys import ApiKey
from shared.domain.models import Layer
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.security.tokens import bad_credentials
from shared.storage import api_key_rows
from shared.storage.database import OUTCOME_UNKNOWN, Database

PREFIX = "mgw_"
SHOWN = 10
LONGEST_SECRET = 200
FLUSH_EVERY = timedelta(seconds=30)


class ApiKeys:
    """The keys are held in memory, so that a request costs a hash and no query.

    A change counts in this process once it is acknowledged, and in others with their next `refresh`. While the
    database is away, what was read last still counts.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._lock = asyncio.Lock()
        self._state = api_key_rows.NOTHING
        self._used: dict[str, datetime] = {}
        self._doubtful: set[str] = set()
        self._flushed = clock()

    async def refresh(self) -> None:
        """Take over what other processes changed. Raises Unavailable."""
        if await self._database.read(api_key_rows.version) != self._state.version:
            async with self._lock:
                known = self._state
                self._state = await self._database.read(lambda session: api_key_rows.load(session, known))

    @property
    def seconds_to_next_end(self) -> float:
        """Seconds until a key ends, with the work for it: by its time, or now when it is doubtful; infinity when none does."""
        if self._doubtful:
            return 0.0
        now = self._clock()
        ends = (key.expires_at for key in self._state.keys.values() if key.expires_at is not None)
        return min(((end - now).total_seconds() for end in ends if end > now), default=float("inf"))

    async def tidy(self) -> None:
        """Delete keys whose maker was told that they may not exist, as soon as the database can; write when keys were
        used, twice a minute at most. Raises Unavailable.
        """
        if self._doubtful:
            await self._delete_doubtful()
        if self._clock() - self._flushed >= FLUSH_EVERY:
            await self.flush()

    async def create(
        self,
        name: str,
        scopes: Sequence[Scope],
        *,
        expires_at: datetime | None = None,
        rate_limit_per_minute: int | None = None,
        rate_limit_per_hour: int | None = None,
        tokens_per_minute: int | None = None,
        max_streams: int | None = None,
        commands_per_day: int | None = None,
        command_seconds_per_day: int | None = None,
        budget_usd: Decimal | None = None,
        budget_period: Period = "month",
        models: Sequence[str] | None = None,
        max_layer: Layer | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which nobody can show again. Raises InvalidInput, Unavailable; then there is no key, or
        `refresh` deletes it.
        """
        now = self._clock()
        if expires_at is not None and expires_at <= now:
            raise InvalidInput("'expiresAt' must be in the future.")
        secret = PREFIX + secrets.token_urlsafe(32)
        key = ApiKey(
            id=f"{KEY_PREFIX}{secrets.token_hex(8)}",
            name=name,
            prefix=secret[:SHOWN],
            scopes=list(dict.fromkeys(scopes)),
            created_at=now,
            expires_at=expires_at,
            rate_limit_per_minute=rate_limit_per_minute,
            rate_limit_per_hour=rate_limit_per_hour,
            tokens_per_minute=tokens_per_minute,
            max_streams=max_streams,
            commands_per_day=commands_per_day,
            command_seconds_per_day=command_seconds_per_day,
            budget_usd=budget_usd,
            budget_period=None if budget_usd is None else budget_period,
            models=None if models is None else [*dict.fromkeys(models)],
            max_layer=max_layer,
        )
        try:
            await self._change(lambda session: api_key_rows.add(session, key, _digest(secret)))
        except Unavailable as error:
            if error.code == OUTCOME_UNKNOWN:
                self._doubtful.add(key.id)
            raise
        return key, secret

    async def list(self) -> list[ApiKey]:
        """Every key, oldest first. Raises Unavailable."""
        await self.flush()
        return [*(await self._database.read(api_key_rows.load)).keys.values()]

    async def delete(self, key_id: str) -> None:
        """The key no longer counts. Raises NotFound, Unavailable."""
        if not await self._change(lambda session: api_key_rows.delete(session, key_id)):
            raise NotFound(f"There is no API key '{key_id}'; GET /v1/keys lists them.", code="key_not_found")

    def authenticate(self, secret: str, *, address: str = "", request_id: str = "") -> Caller:
        """Whoever that secret stands for, now. Raises Unauthenticated.

        The time a look-up by hash takes tells nothing of a secret: who guesses cannot steer the hash.
        """
        key = self._state.keys.get(_digest(secret)) if is_api_key(secret) else None
        now = self._clock()
        if key is None or not _lasts(key, now):
            raise bad_credentials()
        self._used[key.id] = now
        return Caller(
            id=key.id,
            kind="key",
            name=key.name,
            scopes=frozenset(key.scopes),
            rate_limit_per_hour=key.rate_limit_per_hour,
            rate_limit_per_minute=key.rate_limit_per_minute,
            tokens_per_minute=key.tokens_per_minute,
            max_streams=key.max_streams,
            commands_per_day=key.commands_per_day,
            command_seconds_per_day=key.command_seconds_per_day,
            expires_at=key.expires_at,
            address=address,
            request_id=request_id,
            models=None if key.models is None else frozenset(key.models),
            max_layer=key.max_layer,
            budget_usd=key.budget_usd,
            budget_period=key.budget_period,
        )

    def knows(self, key_id: str) -> bool:
        """Whether there is such a key that has not expired, now."""
        now = self._clock()
        return any(key.id == key_id and _lasts(key, now) for key in self._state.keys.values())

    async def flush(self) -> None:
        """Write when keys were last used; also to be called before the end. Raises Unavailable, and keeps it then."""
        used, self._used, self._flushed = self._used, {}, self._clock()
        if not used:
            return
        try:
            await self._database.run(lambda session: api_key_rows.touch(session, used))
        except BaseException:
            self._used = {**used, **self._used}
            raise

    async def _delete_doubtful(self) -> None:
        doubtful = tuple(self._doubtful)
        await self._change(lambda session: bool([key for key in doubtful if api_key_rows.delete(session, key)]))
        self._doubtful.difference_update(doubtful)

    async def _change(self, work: api_key_rows.Work) -> bool:
        async with self._lock:
            known = self._state
            answer, self._state = await self._database.run(lambda session: api_key_rows.changed(session, work, known))
        return answer


def is_api_key(credential: str) -> bool:
    """Whether it has the form of a gateway API key; anything else is taken for a login token."""
    return credential.startswith(PREFIX) and len(credential) <= LONGEST_SECRET


def _lasts(key: ApiKey, now: datetime) -> bool:
    return key.expires_at is None or key.expires_at > now


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
