"""Login tokens."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from shared.errors import InvalidInput, Unauthenticated
from shared.security.tokens import Tokens, checked_secret, token_secret
from tests.support.clock import Clock

SECRET = b"0123456789abcdefghijklmnopqrstuvwxyz"
PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens(SECRET, lifetime=timedelta(hours=12), clock=clock)


def claims(clock: Clock, **changes: Any) -> dict[str, Any]:
    now = int(clock.seconds())
    standard = {"iss": "mcp-gateway", "sub": "user-1", "jti": "t-1", "iat": now, "exp": now + 3600}
    return {key: value for key, value in {**standard, **changes}.items() if value is not ...}


def signed(payload: dict[str, Any], secret: bytes = SECRET, **kwargs: Any) -> str:
    return jwt.encode(payload, secret, **{"algorithm": "HS256", **kwargs})


def raw(header: dict[str, Any], payload: dict[str, Any], signature: str = "") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload))
    return ".".join([*parts, signature])


def test_a_token_says_what_was_put_in(tokens: Tokens, clock: Clock) -> None:
    found = tokens.verify(tokens.issue("user-1"))
    assert found.user_id == "user-1"
    assert found.issued_at == clock.seconds()
    assert found.expires_at == clock.seconds() + 12 * 3600
    assert tokens.verify(tokens.issue("user-1")).token_id != found.token_id


def test_it_ends_when_its_time_is_over_though_it_was_verified_before(tokens: Tokens, clock: Clock) -> None:
    token = tokens.issue("user-1")
    clock.advance(hours=12, seconds=-1)
    tokens.verify(token)
    clock.advance(seconds=1)
    with pytest.raises(Unauthenticated):
        tokens.verify(token)
    with pytest.raises(Unauthenticated):
        tokens.verify(token)


def test_the_yardstick_of_the_tests_below_is_itself_accepted(tokens: Tokens, clock: Clock) -> None:
    assert tokens.verify(signed(claims(clock))).user_id == "user-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": ...},
        {"iat": ...},
        {"sub": ...},
        {"jti": ...},
        {"iss": ...},
        {"iss": "somebody-else"},
        {"sub": 7},
        {"jti": ["x"]},
        {"exp": "2030-01-01"},
        {"exp": True},
        {"exp": 1e300},
        {"exp": 2**80},
        {"iat": None},
        {"iat": -1},
        {"iat": 1.0},
        {"nbf": 9_999_999_999},
        {"aud": "another-service"},
    ],
)
def test_claims_that_are_missing_or_wrong_are_refused(tokens: Tokens, clock: Clock, changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        tokens.verify(signed(claims(clock, **changes)))


def test_more_than_a_day_is_refused_though_we_signed_it(tokens: Tokens, clock: Clock) -> None:
    now = int(clock.seconds())
    assert tokens.verify(signed(claims(clock, exp=now + 86_400)))
    with pytest.raises(Unauthenticated):
        tokens.verify(signed(claims(clock, exp=now + 86_401)))


def test_a_token_from_the_future_is_refused_but_clocks_may_differ_a_little(tokens: Tokens, clock: Clock) -> None:
    now = int(clock.seconds())
    assert tokens.verify(signed(claims(clock, iat=now + 30)))
    with pytest.raises(Unauthenticated):
        tokens.verify(signed(claims(clock, iat=now + 31)))


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_no_other_algorithm_counts(tokens: Tokens, clock: Clock) -> None:
    payload = claims(clock)
    forged = [
        raw({"alg": "none", "typ": "JWT"}, payload),
        raw({"alg": "None"}, payload, "x"),
        raw({"typ": "JWT"}, payload),
        signed(payload, algorithm="HS512"),
        signed(payload, algorithm="HS384"),
        signed(payload, secret=b"another secret of sufficient length"),
        signed(payload, secret=b"short"),
    ]
    for token in forged:
        with pytest.raises(Unauthenticated):
            tokens.verify(token)


def test_a_public_key_is_no_shared_secret(clock: Clock) -> None:
    tokens = Tokens(SECRET, lifetime=timedelta(hours=1), clock=clock)
    header, payload = raw({"alg": "HS256"}, claims(clock)).rsplit(".", 1)[0].split(".")
    signature = base64.urlsafe_b64encode(
        jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
            f"{header}.{payload}".encode(), PUBLIC_KEY
        )
    )
    with pytest.raises(Unauthenticated):
        tokens.verify(f"{header}.{payload}.{signature.decode().rstrip('=')}")


def test_damaged_and_hostile_texts_get_the_same_answer(tokens: Tokens, clock: Clock) -> None:
    good = tokens.issue("user-1")
    head, body, signature = good.split(".")
    deep = base64.urlsafe_b64encode(b"[" * 2500).decode().rstrip("=")
    texts = [
        "",
        ".",
        "..",
        "a.b.c",
        good[:-1],
        good[1:],
        f"{head}.{body}.",
        f"{head}.{body}.{signature[::-1]}",
        f"{head}.{body}.{signature}.{signature}",
        f"{deep}.{body}.{signature}",
        f"{good}\x00",
        f"ü{good}",
        "\ud800",
        "x" * 100_000,
    ]
    said = set()
    for text in texts:
        with pytest.raises(Unauthenticated) as refused:
            tokens.verify(text)
        said.add((refused.value.message, refused.value.code, str(refused.value.details)))
    clock.advance(days=2)
    with pytest.raises(Unauthenticated) as refused:
        tokens.verify(good)
    said.add((refused.value.message, refused.value.code, str(refused.value.details)))
    assert len(said) == 1


def test_what_is_remembered_is_bounded(tokens: Tokens) -> None:
    issued = [tokens.issue(f"user-{number}") for number in range(1500)]
    for token in issued:
        tokens.verify(token)
    assert len(tokens._verified) <= 1024
    assert tokens.verify(issued[0]).user_id == "user-0"


@pytest.mark.parametrize(
    "secret",
    [
        b"",
        b"short",
        b"x" * 31,
        b"x" * 64,
        b"abababababababababababababababababab",
        b"A-String-Secret-At-Least-256-Bits-Long",
    ],
)
def test_weak_and_published_secrets_are_refused(secret: bytes, clock: Clock) -> None:
    with pytest.raises(InvalidInput) as refused:
        Tokens(secret, lifetime=timedelta(hours=1), clock=clock)
    assert refused.value.code == "weak_secret"


@pytest.mark.parametrize("hours", [0, -1, 24.01])
def test_a_lifetime_is_a_day_at_most(hours: float, clock: Clock) -> None:
    with pytest.raises(InvalidInput, match="TOKEN_HOURS"):
        Tokens(SECRET, lifetime=timedelta(hours=hours), clock=clock)


def test_a_secret_is_made_and_kept_unless_one_is_set(tmp_path: Path) -> None:
    file = tmp_path / "jwt.secret"
    assert token_secret(SECRET.decode(), file) == SECRET
    assert not file.exists()
    made = token_secret("", file)
    assert len(made) >= 43
    assert token_secret("", file) == made
    assert checked_secret(made) == made


def test_a_damaged_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwt.secret").write_bytes(b"short")
    with pytest.raises(InvalidInput):
        token_secret("", tmp_path / "jwt.secret")
