"""Passwords: argon2id in a worker thread, and which ones are refused."""

import secrets
from base64 import b64encode
from functools import cached_property
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from shared.errors import InvalidInput
from shared.structured import get_logger

if TYPE_CHECKING:
    from argon2 import Parameters, PasswordHasher

log = get_logger(__name__)

KNOWN_DEFAULTS = frozenset(
    {
        "admin",
        "admin1",
        "admin12",
        "admin123",
        "admin1234",
        "administrator",
        "change-me",
        "change_me",
        "changeit",
        "changeme",
        "changethis",
        "default",
        "letmein",
        "pass",
        "passw0rd",
        "password",
        "password1",
        "password123",
        "qwerty",
        "root",
        "secret",
        "test",
        "toor",
        "welcome",
        "your-password",
        "your-secure-password",
        "12345678",
        "123456789",
        "1234567890",
    }
)
SHORTEST = 8
AT_ONCE = 2


class Passwords:
    """Hashes and checks passwords, at most two at a time, so that a flood of logins costs neither memory nor the loop.

    With `refuse_defaults` documented and guessable passwords neither can be set nor log anybody in.
    """

    def __init__(self, *, refuse_defaults: bool, parameters: "Parameters | None" = None) -> None:
        self._refuse_defaults = refuse_defaults
        self._parameters = parameters
        self._limiter = anyio.CapacityLimiter(AT_ONCE)

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher

        return PasswordHasher.from_parameters(self._parameters or _owasp())

    @cached_property
    def _nobody(self) -> str:
        return _hash_of_nobody(self._hasher)

    def check(self, password: str, name: str = "The password") -> None:
        """Raises InvalidInput, under that name, for a password that must not be set."""
        if self._is_refused(password):
            raise InvalidInput(
                f"{name} is a known default or shorter than {SHORTEST} characters; choose another.",
                code="weak_password",
            )

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await anyio.to_thread.run_sync(self._hasher.hash, _encoded(password), limiter=self._limiter)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether it is the stored one. Takes as long when there is none."""
        found = await anyio.to_thread.run_sync(self._verify, stored or self._nobody, password, limiter=self._limiter)
        if not found or stored is None:
            return False
        if self._is_refused(password):
            log.warning("a right password was refused because it is a known default or too short; set ADMIN_PASSWORD")
            return False
        return True

    def outdated(self, stored: str) -> bool:
        """Whether it should be hashed again, with the parameters of today."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._hasher.verify(stored, _encoded(password))
        except (VerificationError, InvalidHashError):
            return False

    def _is_refused(self, password: str) -> bool:
        return self._refuse_defaults and (len(password) < SHORTEST or password.casefold() in KNOWN_DEFAULTS)


def generated() -> str:
    """A new password of 144 random bits."""
    return secrets.token_urlsafe(18)


def _owasp() -> "Parameters":
    """OWASP's Password Storage Cheat Sheet: argon2id, 19 MiB, 2 passes, 1 lane."""
    from argon2 import Parameters, Type

    return Parameters(
        type=Type.ID, version=19, salt_len=16, hash_len=32, time_cost=2, memory_cost=19 * 1024, parallelism=1
    )


def _hash_of_nobody(hasher: "PasswordHasher") -> str:
    """A well-formed hash, under the same parameters, that no password is known to have."""
    salt, digest = (
        b64encode(secrets.token_bytes(length)).decode().rstrip("=") for length in (hasher.salt_len, hasher.hash_len)
    )
    return f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${salt}${digest}"


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
