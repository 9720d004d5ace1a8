"""Where a session can lead, as callers write it."""

from typing import Any

import pytest

from shared.domain.targets import LocalTarget, TelnetTarget, redacted
from shared.domain.terminal import OpenSession
from shared.errors import InvalidInput
from shared.operations.dispatch import parse

SSH = {"type": "ssh", "host": "host.example", "username": "me"}


def refused(payload: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as error:
        parse(OpenSession, payload)
    assert isinstance(error.value.details, dict)
    found = error.value.details["fields"][0]
    return found["field"], found["reason"]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "host.example",
        "a-b.example",
        "my_host",
        "127.0.0.1",
        "::1",
        "fd12::1",
        "x" * 63,
        "1.host",
        "xn--bcher-kva.example",
    ],
)
def test_hosts_are_names_and_addresses(host: str) -> None:
    assert parse(OpenSession, {"type": "telnet", "host": host}).host == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "host.example.",
        "fe80::1%eth0",
        "[::1]",
        "-oProxyCommand=x",
        "a b",
        "a/b",
        "user@host",
        "host:22",
        "host\n",
        "hö.example",
        ".",
        "a..b",
        "x" * 64,
        ("a" * 60 + ".") * 5 + "a",
    ],
)
def test_other_spellings_are_refused(host: str) -> None:
    assert refused({"type": "telnet", "host": host})[0] == "host"


@pytest.mark.parametrize("port", [0, 65536, -1, "23", 23.0, True])
def test_ports_are_whole_numbers_in_range(port: object) -> None:
    assert refused({"type": "telnet", "host": "h", "port": port})[0] == "port"


@pytest.mark.parametrize(
    ("payload", "field", "reason"),
    [
        ({"type": "local", "host": "h"}, "host", "does not belong to the type 'local'"),
        ({"type": "local", "privateKey": "k"}, "privateKey", "does not belong to the type 'local'"),
        ({"type": "telnet", "host": "h", "privateKey": "k"}, "privateKey", "does not belong to the type 'telnet'"),
        ({"type": "telnet", "host": "h", "cwd": "/"}, "cwd", "does not belong to the type 'telnet'"),
        ({**SSH, "shell": "bash"}, "shell", "does not belong to the type 'ssh'"),
        ({"type": "ssh", "username": "me"}, "host", "this field is required for the type 'ssh'"),
        ({**SSH, "certificate": "x"}, "certificate", "belongs to a 'privateKey', which is not given"),
        ({**SSH, "jump": {"username": "u"}}, "jump.host", "this field is required (or give a 'connectionId')"),
        (
            {**SSH, "jump": {"connectionId": "c", "password": "x"}},
            "jump.password",
            "comes from the saved connection; leave it out or leave out 'connectionId'",
        ),
        ({**SSH, "jump": {"host": "j"}, "jumps": [{"host": "j"}]}, "jumps", "cannot be given together with 'jump'"),
        ({"type": "telnet"}, "host", "this field is required for the type 'telnet'"),
        ({**SSH, "passphrase": "x"}, "passphrase", "belongs to a 'privateKey', which is not given"),
        (
            {**SSH, "jump": {"host": "j", "username": "u", "passphrase": "x"}},
            "jump.passphrase",
            "belongs to a 'privateKey', which is not given",
        ),
        ({}, "type", "this field is required: local, ssh or telnet (or give a 'connectionId')"),
        (
            {"connectionId": "c", "type": "local"},
            "type",
            "comes from the saved connection; leave it out or leave out 'connectionId'",
        ),
        (
            {"connectionId": "c", "cwd": "/"},
            "cwd",
            "comes from the saved connection; leave it out or leave out 'connectionId'",
        ),
        ({**SSH, "color": "red"}, "color", "this field is not known here"),
    ],
)
def test_fields_that_do_not_belong_are_refused_by_name(payload: dict[str, Any], field: str, reason: str) -> None:
    assert refused(payload) == (field, reason)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"type": "serial"}, "type"),
        ({"type": "local", "env": {"A=B": "x"}}, "env.A=B.[key]"),
        ({"type": "local", "env": {"A": "x\0"}}, "env.A"),
        ({"type": "local", "env": {"A": 1}}, "env.A"),
        ({"type": "local", "cwd": "/a\0b"}, "cwd"),
        ({"type": "local", "cols": 0}, "cols"),
        ({"type": "local", "rows": 10_000}, "rows"),
        ({"type": "local", "title": "a\nb"}, "title"),
        ({**SSH, "username": "-l root"}, "username"),
        ({**SSH, "username": "a b"}, "username"),
        ({**SSH, "password": ""}, "password"),
        ({**SSH, "password": 5}, "password"),
        ({**SSH, "knownHosts": "off"}, "knownHosts"),
        ({**SSH, "agent": "yes"}, "agent"),
    ],
)
def test_values_out_of_range_are_refused_by_name(payload: dict[str, Any], field: str) -> None:
    assert refused(payload)[0] == field


def test_a_refusal_never_shows_a_secret() -> None:
    with pytest.raises(InvalidInput) as error:
        parse(OpenSession, {"type": "local", "password": "hunter2"})
    assert "hunter2" not in f"{error.value.message}{error.value.details}"


def test_each_type_gives_its_target() -> None:
    assert parse(OpenSession, {"type": "local"}).near_target() == LocalTarget()
    assert parse(
        OpenSession, {"type": "local", "cwd": "~", "env": {"A": "1"}, "shell": "zsh"}
    ).near_target() == LocalTarget(cwd="~", env={"A": "1"}, shell="zsh")
    assert parse(OpenSession, {"type": "telnet", "host": "h"}).near_target() == TelnetTarget(host="h", port=23)


def test_what_is_written_down_holds_no_secret() -> None:
    request = parse(
        OpenSession,
        {
            **SSH,
            "password": "hunter2",
            "privateKey": "hunter3",
            "passphrase": "hunter4",
            "env": {"TOKEN": "hunter5"},
            "jump": {"host": "j", "username": "u", "password": "hunter6"},
        },
    )
    facts = redacted(request)
    assert facts == {"type": "ssh", "host": "host.example", "username": "me", "env": ["TOKEN"], "jump": "u@j:22"}
    for shown in (repr(request), str(request), repr(request.hops)):
        assert "hunter" not in shown
