"""API keys on the wire."""

from datetime import UTC, datetime

from shared.domain.keys import ApiKey, MadeApiKey, NewApiKey

KEY = ApiKey(
    id="key-1", name="laptop", prefix="mgw_abcdef", scopes=["chat"], created_at=datetime(2026, 11, 24, tzinfo=UTC)
)


def test_the_secret_does_not_show_in_the_representation() -> None:
    made = MadeApiKey(key=KEY, secret="mgw_hunter2")
    assert "hunter2" not in repr(made)
    assert made.model_dump(mode="json")["secret"] == "mgw_hunter2"


def test_two_new_keys_do_not_share_their_default_scopes() -> None:
    first, second = NewApiKey(name="a"), NewApiKey(name="b")
    assert first.scopes == second.scopes == ["chat", "models:read"]
    assert first.scopes is not second.scopes
