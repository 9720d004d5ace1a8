"""Login tokens: JSON Web Tokens (RFC 7519) under HS256 and nothing else."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import InvalidInput, Unauthenticated
from shared.security import secret_files

if TYPE_CHECKING:
    from jwt import PyJWT

ALGORITHM = "HS256"
ISSUER = "mcp-gateway"
SHORTEST_SECRET = 32
LONGEST_LIFE = timedelta(hours=24)
LONGEST_TOKEN = 4096
CLOCK_SKEW = 30.0
REMEMBERED = 1024

KNOWN_DEFAULT_SECRETS = frozenset(
    {
        "a-string-secret-at-least-256-bits-long",
        "change-this-secret-key-in-production",
        "change-this-to-a-secure-random-string",
        "changeme-changeme-changeme-changeme",
        "your-256-bit-secret-key-change-in-production",
        "your-jwt-secret-change-in-production",
        "your-secret-key-change-in-production",
        "your-secret-key-change-this-in-production",
        "your-super-secret-jwt-key-change-in-production",
        "your-super-secret-jwt-key-change-this-in-production",
        "your_jwt_secret_key_change_in_production",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says. Times are seconds since the epoch."""

    user_id: str
    token_id: str
    issued_at: float
    expires_at: float


class Tokens:
    """Issues and verifies tokens. Whether their user still exists and they were not revoked is for others to say."""

    def __init__(self, secret: bytes, *, lifetime: timedelta, clock: Callable[[], datetime]) -> None:
        if not timedelta(0) < lifetime <= LONGEST_LIFE:
            raise InvalidInput("A login must last more than 0 and at most 24 hours; change TOKEN_HOURS.")
        self._secret = checked_secret(secret)
        self._lifetime = lifetime
        self._clock = clock
        self._verified: dict[str, Claims] = {}

    @cached_property
    def _jwt(self) -> "PyJWT":
        import jwt

        return jwt.PyJWT({"enforce_minimum_key_length": True})

    def issue(self, user_id: str) -> str:
        """A new token for that user."""
        now = self._clock().timestamp()
        claims = {
            "iss": ISSUER,
            "sub": user_id,
            "jti": secrets.token_urlsafe(16),
            "iat": round(now, 3),
            "exp": int(now + self._lifetime.total_seconds()),
        }
        return self._jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def verify(self, token: str) -> Claims:
        """What a token says, if it is ours and of now. Raises Unauthenticated, always with the same words."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._claims(token)
            if len(self._verified) >= REMEMBERED:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = claims
        if claims.expires_at <= self._clock().timestamp():
            self._verified.pop(token, None)
            raise bad_credentials()
        return claims

    def _claims(self, token: str) -> Claims:
        from jwt import PyJWTError

        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise bad_credentials()
        try:
            payload = self._jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={"require": ["exp", "iat", "sub", "jti"], "verify_exp": False, "verify_iat": False},
            )
        except (PyJWTError, ValueError, RecursionError):
            raise bad_credentials() from None
        return self._of_now(payload)

    def _of_now(self, payload: dict[str, Any]) -> Claims:
        """The times are held against the clock that we were given; PyJWT knows only the system's."""
        issued, expires = payload["iat"], payload["exp"]
        if not (_is_time(issued) and _is_time(expires)):
            raise bad_credentials()
        if issued > self._clock().timestamp() + CLOCK_SKEW or expires - issued > LONGEST_LIFE.total_seconds():
            raise bad_credentials()
        return Claims(user_id=payload["sub"], token_id=payload["jti"], issued_at=issued, expires_at=expires)


def bad_credentials() -> Unauthenticated:
    """The one answer to credentials that don't count, whatever is wrong with them."""
    return Unauthenticated(
        "These credentials are not valid or no longer so: log in at POST /v1/auth/login or send an API key."
    )


def token_secret(setting: str, file: Path) -> bytes:
    """The secret that was set, else the one kept in `file`, made at first use. Raises InvalidInput, Unavailable."""
    if setting:
        return checked_secret(setting.encode())
    return checked_secret(secret_files.read_or_create(file, lambda: secrets.token_urlsafe(48).encode()))


def checked_secret(secret: bytes) -> bytes:
    """The secret, if it can be trusted. Raises InvalidInput."""
    if len(secret) < SHORTEST_SECRET or len(set(secret)) < 10:
        raise InvalidInput(
            f"JWT_SECRET must be {SHORTEST_SECRET} random bytes or more; leave it empty to have one made.",
            code="weak_secret",
        )
    if secret.decode("utf-8", "replace").casefold() in KNOWN_DEFAULT_SECRETS:
        raise InvalidInput("JWT_SECRET is a known default; leave it empty to have one made.", code="weak_secret")
    return secret


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e11
