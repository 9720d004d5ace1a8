"""Who can log in: the administrator of the first start, logins, and the tokens that still count."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime

from shared.domain.accounts import Account, Login, User
from shared.domain.identity import ROLE_SCOPES, USER_PREFIX, Caller, Role
from shared.errors import Conflict, InvalidInput, NotFound, Unauthenticated, Unavailable
from shared.security.passwords import Passwords, generated
from shared.security.rate_limits import LoginAttempts
from shared.security.tokens import LONGEST_LIFE, Tokens, bad_credentials
from shared.storage import user_rows
from shared.storage.database import Database


class Accounts:
    """Accounts and revoked tokens are held in memory, so that a request costs no query.

    A change counts in this process once it is acknowledged, and in others with their next `refresh`. While the
    database is away, what was read last still counts.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        tokens: Tokens,
        attempts: LoginAttempts,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._tokens = tokens
        self._attempts = attempts
        self._clock = clock
        self._lock = asyncio.Lock()
        self._state = user_rows.State(-1, {}, {})

    async def refresh(self) -> None:
        """Take over what other processes changed; one small query when that is nothing. Raises Unavailable."""
        if await self._database.read(user_rows.version) != self._state.version:
            async with self._lock:
                self._state = await self._database.read(user_rows.load)

    async def ensure_admin(self, username: str, password: str = "") -> str | None:
        """Make the administrator at the first start; `password`, when given, is theirs from now on.

        Returns the password that was made up, once, in the process that made it. Raises InvalidInput, Unavailable.
        """
        if password:
            self._passwords.check(password, "ADMIN_PASSWORD")
        account = await self._database.read(lambda session: user_rows.find(session, username))
        made_up = None
        if account is None:
            made_up = await self._add_admin(username, password)
        elif password and not await self._passwords.matches(password, account.password_hash):
            await self._store_password(account, password)
        await self.refresh()
        return made_up

    async def login(self, username: str, password: str, address: str) -> Login:
        """A token for a user. Raises Unauthenticated, with one message after one time, or RateLimited."""
        await self._attempts.begin(address)
        try:
            account = await self._database.read(lambda session: user_rows.find(session, username))
        except Unavailable:
            await self._attempts.succeeded(address)
            raise
        matched = await self._passwords.matches(password, account.password_hash if account else None)
        if account is None or not matched:
            raise Unauthenticated("The username or the password is wrong.", code="wrong_credentials")
        await self._attempts.succeeded(address)
        await self._renew_hash(account, password)
        await self.refresh()
        return Login(token=self._tokens.issue(account.id), user=_user(account))

    def authenticate(self, token: str, *, address: str = "", request_id: str = "") -> Caller:
        """Whoever a login token stands for, now. Raises Unauthenticated."""
        claims = self._tokens.verify(token)
        account = self._state.accounts.get(claims.user_id)
        if account is None or claims.token_id in self._state.revoked:
            raise bad_credentials()
        if account.tokens_valid_after is not None and claims.issued_at <= account.tokens_valid_after.timestamp():
            raise bad_credentials()
        return Caller(
            id=account.id,
            kind="user",
            name=account.username,
            scopes=ROLE_SCOPES.get(account.role, frozenset()),
            role=account.role,
            token_id=claims.token_id,
            address=address,
            request_id=request_id,
        )

    def knows(self, user_id: str) -> bool:
        """Whether there is such a user, now."""
        return user_id in self._state.accounts

    async def logout(self, caller: Caller) -> None:
        """The caller's token no longer counts. Raises InvalidInput when it did not come with one."""
        token_id = caller.token_id
        if token_id is None:
            raise InvalidInput("Only a login ends with a logout; an API key is deleted with DELETE /v1/keys/:id.")
        now = self._clock()
        await self._change(lambda session: user_rows.revoke(session, token_id, now + LONGEST_LIFE, now))

    async def set_password(self, username: str, password: str) -> None:
        """Another password; every token issued until now is void. Raises InvalidInput, NotFound, Unavailable."""
        self._passwords.check(password)
        account = await self._database.read(lambda session: user_rows.find(session, username))
        if account is None:
            raise _unknown(username)
        await self._store_password(account, password)

    async def add(self, username: str, role: Role, password: str) -> User:
        """A further user. Raises Conflict when the name is taken, InvalidInput, Unavailable."""
        self._passwords.check(password)
        account = await self._account(username, role, password)
        if not await self._change(lambda session: user_rows.add(session, account)):
            raise Conflict(f"There is a user '{username}' already.", code="user_exists")
        return _user(account)

    async def remove(self, username: str) -> None:
        """The user can log in no more, and every token of theirs is void. Raises NotFound, Unavailable."""
        if not await self._change(lambda session: user_rows.remove(session, username)):
            raise _unknown(username)

    def users(self) -> list[User]:
        """Everybody who may log in, by name."""
        return sorted(map(_user, self._state.accounts.values()), key=lambda user: user.username)

    async def _add_admin(self, username: str, password: str) -> str | None:
        made_up = "" if password else generated()
        account = await self._account(username, "admin", password or made_up)
        added = await self._change(lambda session: user_rows.add(session, account))
        return made_up if added and made_up else None

    async def _account(self, username: str, role: Role, password: str) -> Account:
        return Account(
            id=f"{USER_PREFIX}{secrets.token_hex(8)}",
            username=username,
            role=role,
            password_hash=await self._passwords.hash(password),
            created_at=self._clock(),
        )

    async def _store_password(self, account: Account, password: str) -> None:
        password_hash, now = await self._passwords.hash(password), self._clock()
        await self._change(lambda session: user_rows.set_password(session, account.id, password_hash, now))

    async def _renew_hash(self, account: Account, password: str) -> None:
        if self._passwords.outdated(account.password_hash):
            password_hash = await self._passwords.hash(password)
            await self._change(lambda session: user_rows.set_password(session, account.id, password_hash, None))

    async def _change(self, work: user_rows.Work) -> bool:
        async with self._lock:
            answer, self._state = await self._database.run(lambda session: user_rows.changed(session, work))
        return answer


def _unknown(username: str) -> NotFound:
    return NotFound(f"There is no user '{username}'.", code="user_not_found")


def _user(account: Account) -> User:
    return User(id=account.id, username=account.username, role=account.role)
