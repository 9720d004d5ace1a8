"""Where a policy takes commands to be, and what it lets be a shell, on a whole gateway."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain.identity import LOCAL
from shared.domain.policy import CommandPolicy
from shared.errors import Forbidden, GatewayError
from shared.gateway import Gateway, open_gateway
from shared.operations import connections, dispatch, terminals
from shared.operations.operation import Operation
from shared.setting_sources import load_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    (folder / "secret").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
async def gateway(tmp_path: Path, home: Path) -> AsyncIterator[Gateway]:
    quiet = {"OSS_DISCOVERY": "false", "EMBEDDED_MODEL": "off", "LOG_LEVEL": "error", "TERMINAL_SANDBOX": "off"}
    async with open_gateway(load_settings({"DATA_DIR": str(tmp_path / "data"), **quiet})) as gateway:
        yield gateway


async def put(gateway: Gateway, **rule: Any) -> None:
    policy = {"policies": [{"name": "p", "rules": [{"action": "deny", **rule}]}]}
    await gateway.policy.put(CommandPolicy.model_validate(policy))


async def call(gateway: Gateway, operation: Operation[Any, Any], **payload: Any) -> Any:
    return (await dispatch.call(gateway, LOCAL, operation, payload)).model_dump(mode="json")


@pytest.mark.parametrize(
    "given",
    [
        {"command": "tee a", "cwd": "secret"},
        {"command": "tee a", "cwd": "~/secret"},
        {"command": "tee secret/a"},
        {"command": "tee ~/secret/a"},
        {"command": "cd secret && tee a"},
        {"command": "cd ~/secret && tee a"},
        {"command": "tee a", "cwd": "~/secret", "background": True},
    ],
)
async def test_a_command_is_judged_in_the_directory_that_is_meant(
    gateway: Gateway, home: Path, given: dict[str, Any]
) -> None:
    await put(gateway, writes=[f"{home}/secret/**"])
    with pytest.raises(Forbidden):
        await call(gateway, terminals.RUN_COMMAND, **given)
    assert not list((home / "secret").iterdir())
    await call(gateway, terminals.RUN_COMMAND, command="tee a")


async def test_a_session_is_where_it_began_however_it_began(gateway: Gateway, home: Path) -> None:
    await put(gateway, writes=[f"{home}/secret/**"])
    opened = [
        (await call(gateway, terminals.OPEN_TERMINAL, type="local"), "secret/a"),
        (await call(gateway, terminals.OPEN_TERMINAL, type="local", cwd="~/secret"), "a"),
        (await call(gateway, terminals.RUN_COMMAND, command="sleep 60", cwd="secret", background=True), "a"),
    ]
    for answer, file in opened:
        for path in (file, f"./{file}"):
            with pytest.raises(Forbidden):
                await call(gateway, terminals.EXECUTE_COMMAND, id=answer["session"]["id"], command=f"tee {path}")
    assert not list((home / "secret").iterdir())


async def test_a_saved_connection_may_not_bring_a_program_for_a_shell_or_denied_variables(
    gateway: Gateway, home: Path
) -> None:
    program = home / "sh"
    program.write_text("#!/bin/sh\ntouch ran\n")
    program.chmod(0o755)
    await put(gateway, variables=["BASH_ENV"])
    for name, given in (("shell", {"shell": str(program)}), ("env", {"env": {"BASH_ENV": "/tmp/x"}})):
        await call(gateway, connections.CREATE_CONNECTION, name=name, type="local", **given)
        with pytest.raises(GatewayError) as refused:
            await call(gateway, terminals.RUN_COMMAND, command="true", connection=name)
        assert refused.value.code == {"shell": "invalid_request", "env": "command_denied"}[name]
    assert not (home / "ran").exists()
