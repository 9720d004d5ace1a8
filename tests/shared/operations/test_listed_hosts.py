"""TERMINAL_NETWORK as a list of hosts, on a whole gateway."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain.identity import LOCAL
from shared.errors import Unavailable
from shared.gateway import Gateway, open_gateway
from shared.operations import audit, dispatch, terminals
from shared.operations.operation import Operation
from shared.setting_sources import SettingsError, load_settings
from shared.terminal.keeper import confinement


def settings(folder: Path, **more: str) -> Any:
    quiet = {"OSS_DISCOVERY": "false", "EMBEDDED_MODEL": "off", "LOG_LEVEL": "error"}
    return load_settings({"DATA_DIR": str(folder / "data"), **quiet, **more})


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    try:
        async with open_gateway(
            settings(tmp_path, TERMINAL_NETWORK="github.com, *.githubusercontent.com:443")
        ) as found:
            yield found
    except Unavailable as error:
        pytest.skip(error.message)


async def call(gateway: Gateway, operation: Operation[Any, Any], **payload: Any) -> dict[str, Any]:
    answer = await dispatch.call(gateway, LOCAL, operation, payload)
    found: dict[str, Any] = answer.model_dump(mode="json")
    return found


async def noted(gateway: Gateway) -> list[dict[str, Any]]:
    """The rows of refused connections, once there are any."""
    rows: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while not rows:
            rows = (await call(gateway, audit.LIST_AUDIT, action="command_connection"))["entries"]
    return rows


async def test_a_refused_host_is_in_the_result_and_in_the_audit_trail(gateway: Gateway) -> None:
    command = "curl -s https://evil.example/"
    result = (await call(gateway, terminals.RUN_COMMAND, command=command))["result"]
    assert "evil.example:443" in result["notice"]
    assert "TERMINAL_NETWORK" in result["notice"]
    rows = await noted(gateway)
    assert [(row["caller"], row["outcome"], row["details"]) for row in rows] == [
        ("local", "address_refused", {"host": "evil.example", "port": 443, "command": command})
    ]


async def test_a_background_commands_refusals_are_in_the_audit_trail(gateway: Gateway) -> None:
    begun = await call(gateway, terminals.RUN_COMMAND, command="curl -s https://evil.example/", background=True)
    assert begun["session"]
    assert [row["details"]["host"] for row in await noted(gateway)] == ["evil.example"]


@pytest.mark.parametrize("value", ["offf", "https://github.com", ","])
def test_what_is_no_list_is_refused_with_what_to_write(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match=r"TERMINAL_NETWORK: must be on, off, or hosts such as"):
        settings(tmp_path, TERMINAL_NETWORK=value)


@pytest.mark.parametrize("sandbox", ["auto", "required", "off"])
async def test_a_gateway_that_cannot_hold_a_list_does_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(confinement, "landlock_version", lambda: 7)
    with pytest.raises(Unavailable, match="only bubblewrap can hold commands to them"):
        async with open_gateway(settings(tmp_path, TERMINAL_NETWORK="github.com", TERMINAL_SANDBOX=sandbox)):
            pass
