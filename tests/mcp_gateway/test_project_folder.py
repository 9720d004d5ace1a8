"""Commands and terminals of a stdio client start in the folder that it has started the server in."""

from pathlib import Path

import pytest

from mcp_gateway.stdio import project_folder
from tests.support.stdio_process import bare, modern, stdio_process


async def test_commands_and_terminals_start_in_the_clients_folder(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    for folder in (project / "src", home):
        folder.mkdir(parents=True)
    async with stdio_process(bare(tmp_path, HOME=str(home)), cwd=str(project)) as host:

        async def where(**arguments: str) -> str:
            called = await host.ask("tools/call", modern(name="run_command", arguments={"command": "pwd", **arguments}))
            return str(called["structuredContent"]["stdout"]).rstrip("\n")

        assert await where() == str(project)
        assert await where(cwd="src") == str(project / "src")
        assert await where(cwd="~") == str(home)
        assert await where(cwd="/") == "/"
        opened = await host.ask("tools/call", modern(name="open_terminal", arguments={}))
        session = opened["structuredContent"]["sessionId"]
        assert await where(sessionId=session) == str(project)
        at_home = await host.ask("tools/call", modern(name="open_terminal", arguments={"cwd": "~"}))
        assert await where(sessionId=at_home["structuredContent"]["sessionId"]) == str(home)
        begun = {"command": "pwd", "background": True}
        running = await host.ask("tools/call", modern(name="run_command", arguments=begun))
        wait = {
            "sessionId": running["structuredContent"]["sessionId"],
            "cursor": 0,
            "waitFor": "exit",
            "waitSeconds": 10,
        }
        read = await host.ask("tools/call", modern(name="read_terminal", arguments=wait))
        assert str(project) in read["structuredContent"]["text"]


def test_a_folder_that_says_nothing_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for folder, found in ((tmp_path / "home", ""), (Path("/"), ""), (tmp_path / "project", str(tmp_path / "project"))):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        assert project_folder() == found
    (tmp_path / "project").rmdir()
    assert project_folder() == ""
