"""Redaction."""

import json

import pytest

from shared.security.redaction import MASK, Redactor, cut, escaped, is_secret_name

KEY = "sk-ant-api03-AbCdEfGhIjKlMnOp_qrst"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEifQ.c2lnbmF0dXJl"
BLOCK = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAA\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"use {KEY} now", KEY),
        ("export OPENAI_API_KEY=sk-proj-AbCd_1234-efgh", "sk-proj-AbCd_1234-efgh"),
        ("key sk-or-v1-0123456789abcdef", "sk-or-v1-0123456789abcdef"),
        ("mgw_AbCdEfGh0123456789-_x", "mgw_AbCdEfGh0123456789-_x"),
        ("ghp_0123456789abcdefghij and AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        (f"token {JWT}.", JWT),
        ("curl -H 'Authorization: Bearer abc.def/ghi='", "abc.def/ghi="),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("PGPASSWORD=hunter2 psql", "hunter2"),
        ("login --password hunter2 --user x", "hunter2"),
        ("login --password='hunter 2' --user x", "hunter 2"),
        ('{"passphrase": "hunter 2"}', "hunter 2"),
        (r'{"cmd": "x --token=\"hunter 2\""}', "hunter 2"),
        (r"password=hun\ter2", "ter2"),
        ("https://host/path?token=hunter2&x=1", "hunter2"),
        ("postgresql://gateway:hunter2@host/name", "hunter2"),
        ("redis://:hunter2@host:6379/0", "hunter2"),
        (f"before\n{BLOCK}\nafter", "b3BlbnNzaC1rZXk"),
        ("SECRETS_KEY=hunter2", "hunter2"),
        ("signing_key: hunter2", "hunter2"),
        ('{"secrets_key": "hunter2"}', "hunter2"),
        ("gpg --passphrase hunter2 -d x", "hunter2"),
        ("authorization: Token hunter2", "hunter2"),
        ("curl -H 'Cookie: a=b; session=hunter2' x", "hunter2"),
        ("Set-Cookie: sid=hunter2; Path=/", "hunter2"),
        ("sshpass -p 'hunter 2' ssh host", "hunter 2"),
        ("mysqldump -h db -phunter2 name", "hunter2"),
        ("curl -s -u me:hunter2 http://host", "hunter2"),
        ("curl --user 'me:hunter2' http://host", "hunter2"),
        ("https://hooks.slack.com/services/T0/B0/hunter2 x", "hunter2"),
        ("cut off: -----BEGIN RSA PRIVATE KEY-----\nMIIEow", "MIIEow"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    masked = Redactor().text(text)
    assert secret not in masked
    assert MASK in masked


def test_what_stands_around_a_secret_stays() -> None:
    masked = Redactor().text(f"before\n{BLOCK}\nafter postgresql://gateway:hunter2@host/name and https://me@host/")
    assert masked == f"before\n{MASK}\nafter postgresql://gateway:{MASK}@host/name and https://me@host/"


@pytest.mark.parametrize(
    "text",
    [
        "the token bucket holds max_tokens: 5 tokens",
        "basic authentication and a bearer of news",
        "a risk-assessment-documented and task-oriented-approach",
        "password reset was asked for",
        "https://example.org/a:b@c",
        "ls -la /etc/ssh/ssh_host_key.pub",
        "docker run -u 1000:1000 image; python -u script.py; sort -u names",
        "mysql -h db --port 3306; a cookie and a secret were baked",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor().text(text) == text


def test_masked_json_is_still_json() -> None:
    line = json.dumps({"password": 'a "quoted" one', "cmd": 'x --password="a b" y', "max_tokens": 5})
    assert json.loads(Redactor().text(line))["max_tokens"] == 5


def test_known_values_are_masked_wherever_they_stand() -> None:
    redactor = Redactor(["correct.horse*battery", "correct.horse*battery staple", "", "abc"])
    assert redactor.text("x=correct.horse*battery staple; abc") == f"x={MASK}; abc"
    assert redactor.text("correctXhorse*battery") == "correctXhorse*battery"


def test_data_is_masked_by_name_and_by_shape_at_any_depth() -> None:
    data = {
        "command": f"echo {KEY}",
        "login": {"password": "x", "privateKey": {"any": "thing"}, "Access-Token": "y", "secret": ""},
        "list": [(f"Bearer {JWT}",), {"api_key": 7}],
        "max_tokens": 5,
        "usage": 1.5,
    }
    assert Redactor().data(data) == {
        "command": f"echo {MASK}",
        "login": {"password": MASK, "privateKey": MASK, "Access-Token": MASK, "secret": ""},
        "list": [[f"Bearer {MASK}"], {"api_key": MASK}],
        "max_tokens": 5,
        "usage": 1.5,
    }


def test_data_becomes_bounded_plain_json() -> None:
    deep: object = "bottom"
    for _ in range(50):
        deep = [deep]
    odd = {
        "deep": deep,
        "long": "x" * 100_000,
        "many": list(range(1000)),
        "fields": {str(number): number for number in range(1000)},
        "nan": float("nan"),
        "infinite": float("inf"),
        "huge": 10**5000,
        "object": object(),
        3: b"bytes",
        "surrogate": "\ud800",
    }
    plain = Redactor().data(odd)
    text = json.dumps(plain, allow_nan=False)
    assert len(text) < 30_000
    assert "bottom" not in text
    assert plain["long"].endswith("… [96000 more]")
    assert plain["many"][-1] == "[900 more]"
    assert plain["fields"]["…"] == "[900 more]"
    assert plain["nan"] == "nan"
    assert plain["huge"] == "[large number]"
    assert plain["surrogate"] == r"\ud800"


def test_a_secret_at_the_edge_of_a_cut_is_masked_before_the_cut() -> None:
    line = Redactor().line("x" * 3989 + " " + KEY)
    assert "sk-ant" not in line


def test_a_line_cannot_move_the_cursor_or_hide_anything() -> None:
    text = "a\nb\r\x1b[2J\x07\x9b\u202e\u2028\x00ü日"
    line = Redactor().line(text)
    assert line == r"a\nb\r\x1b[2J\x07\x9b\u202e\u2028\x00ü日"
    assert escaped("plain text") == "plain text"


def test_a_cut_says_how_much_is_gone() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 4) == "abcd… [2 more]"
    assert cut("abcdef", 4, 10) == "abcd… [12 more]"


@pytest.mark.parametrize("name", ["password", "sshPassword", "api_key", "apiKey", "refresh-token", "token", "Cookie"])
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["max_tokens", "tokenId", "passwordHint", "keyId", "name", "monkey", "author"])
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)
