"""Secrets on command lines: which forms are masked, and which look-alikes stay."""

import json

import pytest

from shared.security.redaction import MASK, Redactor
from shared.terminal.recording_veil import Event, Veil
from tests.shared.security.secret_corpus import LOOK_ALIKES, SECRETS

REDACT = Redactor().text


def test_the_corpus_is_large() -> None:
    assert len(set(SECRETS)) >= 120
    assert len(set(LOOK_ALIKES)) >= 120


@pytest.mark.parametrize("form", SECRETS)
def test_a_secret_is_masked_and_what_stands_around_it_stays(form: str) -> None:
    before, secret, after = form.split("§")
    assert REDACT(before + secret + after) == before + MASK + after


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_a_look_alike_stays(text: str) -> None:
    assert REDACT(text) == text


@pytest.mark.parametrize("form", SECRETS)
def test_no_secret_stays_in_json_nor_in_a_recording(form: str) -> None:
    before, secret, after = form.split("§")
    text = before + secret + after
    assert json.loads(REDACT(json.dumps({"command": text, "cwd": "/x"})))["cwd"] == "/x"
    assert secret not in REDACT(json.dumps({"command": text, "cwd": "/x"}))
    (typed,) = Veil(REDACT).through([Event(0, "i", f"{text}\r")])
    assert secret not in typed.data
    shown = "".join(event.data for event in Veil(REDACT).through([Event(0, "o", f"\x1b[1m$\x1b[0m {text}\r\n")]))
    assert secret not in shown
    assert shown.endswith("\r\n")


def test_a_command_over_several_lines_and_a_here_document_are_read_to_their_ends() -> None:
    assert REDACT("redis-cli -h host \\\n  -a hunter2 ping") == f"redis-cli -h host \\\n  -a {MASK} ping"
    assert REDACT("chpasswd <<'EOF'\nme:hunter2\nEOF\nls") == f"chpasswd <<'EOF'\n{MASK}\nEOF\nls"


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "curl -u ",
            "curl ",
            "echo x | sudo -S ",
            "'",
            '"curl ',
            '\\"',
            "a'b\"",
            "redis-cli -a x ",
            "htpasswd -b ",
            "`",
            "$(",
            ";",
        ),
        *(
            "--password ",
            "password ",
            "pass=",
            "://",
            "username ",
            "machine a login ",
            "identified with ",
            "snmp-server ",
            "-u ",
        ),
        *(
            "auth ",
            ">  auth ",
            "-----BEGIN PRIVATE KEY-----",
            "zip -" + "r" * 500 + " ",
            "eyJ",
            "sk-",
            "echo ",
            "<<",
            "\\n",
            "curl \\\n",
        ),
        *("login vault login ", "mysql ", "a@", "://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "docker login ", "login "),
    ],
)
def test_a_hostile_line_is_read_once(piece: str) -> None:
    """What takes time in the square of the length does not end here before the suite gives up."""
    text = f"redis-cli -a hunter2 {piece * (256 * 1024 // len(piece))}"
    assert "hunter2" not in REDACT(text)


def test_a_line_of_a_mebibyte_is_read_to_its_end() -> None:
    assert REDACT(f"{'curl x ' * (150 * 1024)}-u me:hunter2").endswith(f"-u me:{MASK}")
