"""One-time codes that a real OpenSSH server asks for by PAM, over REST."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_gateway import Surface, surface
from tests.support.http_stack import error_of
from tests.support.openssh_server import OpenSsh, running_openssh

PASSWORD = "correct horse"
CODES = ("48291374", "59302485")
"""Codes of which each is good for one login (google-authenticator's scratch codes)."""
CHECK = """#!/bin/sh
[ "$(tr -d '\\000')" = "{password}" ]
"""
CHECKS_PASSWORD = "auth required pam_exec.so expose_authtok quiet {folder}/check\n"
STACK = """auth required pam_google_authenticator.so secret={folder}/secret user=root
account required pam_permit.so
session required pam_permit.so
"""
OVERLAY = (
    'mount --bind "$0" /etc/pam.d && methods=$1 && shift && exec "$@" -o UsePAM=yes -o PasswordAuthentication=yes '
    '-o KbdInteractiveAuthentication=yes -o "AuthenticationMethods=$methods"'
)


@asynccontextmanager
async def a_host(folder: Path, stack: str, methods: str) -> AsyncIterator[tuple[Surface, OpenSsh]]:
    """A gateway, and a server with this PAM stack and these authentication methods."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("it needs root and unshare")
    if not any(Path("/usr/lib").glob("*/security/pam_google_authenticator.so")):
        pytest.skip("there is no pam_google_authenticator (package libpam-google-authenticator)")
    (folder / "pam.d").mkdir()
    (folder / "pam.d" / "sshd").write_text(stack.format(folder=folder))
    (folder / "check").write_text(CHECK.format(password=PASSWORD))
    (folder / "check").chmod(0o700)
    (folder / "secret").write_text("\n".join(["JBSWY3DPEHPK3PXP", '" TOTP_AUTH', *CODES, ""]))
    (folder / "secret").chmod(0o400)
    by = ["unshare", "-m", "sh", "-c", OVERLAY, str(folder / "pam.d"), methods]
    with running_openssh(folder / "sshd", folder, by=by) as server:
        async with surface(folder / "data") as made:
            yield made, server


def target(server: OpenSsh, **login: Any) -> dict[str, Any]:
    return {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": server.username, **login}


async def told_of_a_code(made: Surface, wanted: dict[str, Any]) -> str:
    """The id of the login that asks for it."""
    refused = await made.http.post("/v1/terminal/sessions", json=wanted)
    assert error_of(refused)["code"] == "code_required", refused.text
    details = error_of(refused)["details"]
    assert details["prompts"] == [{"text": "Verification code:", "echo": False}]
    return str(details["loginId"])


async def logs_in(made: Surface, wanted: dict[str, Any], code: str) -> None:
    login = await told_of_a_code(made, wanted)
    answered = await made.http.post(f"/v1/terminal/{login}/answer", json={"answers": [code]})
    assert answered.is_success, answered.text
    opened = await made.http.post("/v1/terminal/sessions", json={**wanted, "loginId": login})
    assert opened.status_code == 201, opened.text
    path = f"/v1/terminal/{opened.json()['session']['id']}"
    ran = await made.http.post(f"{path}/execute", json={"command": "echo in"})
    assert ran.json()["result"]["stdout"] == "in\n"


@pytest.mark.parametrize("methods", ["any", "keyboard-interactive", "publickey,keyboard-interactive"])
async def test_a_password_and_a_code_log_in(tmp_path: Path, methods: str) -> None:
    async with a_host(tmp_path, CHECKS_PASSWORD + STACK, methods) as (made, server):
        login: dict[str, Any] = {"password": PASSWORD}
        if "publickey" in methods:
            login["privateKey"] = server.private_key.get_secret_value()
        wanted = target(server, **login)
        await logs_in(made, wanted, CODES[0])
        used = await told_of_a_code(made, wanted)
        refused = await made.http.post(f"/v1/terminal/{used}/answer", json={"answers": [CODES[0]]})
        assert (refused.status_code, error_of(refused)["code"]) == (502, "code_refused")
        await logs_in(made, wanted, CODES[1])


async def test_a_key_and_a_code_log_in(tmp_path: Path) -> None:
    async with a_host(tmp_path, STACK, "publickey,keyboard-interactive") as (made, server):
        await logs_in(made, target(server, privateKey=server.private_key.get_secret_value()), CODES[0])


async def test_a_wrong_password_is_refused_after_the_code_where_the_host_checks_both_then(tmp_path: Path) -> None:
    async with a_host(tmp_path, CHECKS_PASSWORD + STACK, "keyboard-interactive") as (made, server):
        login = await told_of_a_code(made, target(server, password="wrong"))
        refused = await made.http.post(f"/v1/terminal/{login}/answer", json={"answers": [CODES[0]]})
        assert error_of(refused)["code"] == "code_refused"
