"""Commands and terminals of a stdio client start in the folder that it has started the server in."""

from pathlib import Path

import pytest

from mcp_gateway.folder import decoded, encoded, project_folder
from tests.support.serving import serving
from tests.support.stdio_process import COMMAND, StdioProcess, bare, modern, stdio_process


async def place(host: StdioProcess, **arguments: str) -> str:
    called = await host.ask("tools/call", modern(name="run_command", arguments={"command": "pwd", **arguments}))
    return str(called["structuredContent"]["stdout"]).rstrip("\n")


async def test_commands_and_terminals_start_in_the_clients_folder(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    for folder in (project / "src", home):
        folder.mkdir(parents=True)
    async with stdio_process(bare(tmp_path, HOME=str(home)), cwd=str(project)) as host:
        assert await place(host) == str(project)
        assert await place(host, cwd="src") == str(project / "src")
        assert await place(host, cwd="~") == str(home)
        assert await place(host, cwd="/") == "/"
        opened = await host.ask("tools/call", modern(name="open_terminal", arguments={}))
        session = opened["structuredContent"]["sessionId"]
        assert await place(host, sessionId=session) == str(project)
        at_home = await host.ask("tools/call", modern(name="open_terminal", arguments={"cwd": "~"}))
        assert await place(host, sessionId=at_home["structuredContent"]["sessionId"]) == str(home)
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


@pytest.mark.slow
async def test_a_bridge_tells_a_gateway_of_this_machine(tmp_path: Path) -> None:
    project = tmp_path / "an ü project"
    project.mkdir()
    async with serving(tmp_path / "served", TERMINAL_SANDBOX="off") as running:
        command = (COMMAND, "stdio", "--connect", running.url)
        async with stdio_process(bare(tmp_path), command=command, cwd=str(project)) as host:
            assert await place(host) == str(project)
            assert await place(host, cwd="~") == str(tmp_path)
            project.rmdir()
            assert await place(host) == str(tmp_path)
        async with stdio_process(bare(tmp_path), command=command) as elsewhere:
            assert await place(elsewhere) == str(tmp_path)


def test_only_whole_paths_are_folders() -> None:
    assert decoded(encoded("/a b/ü%/\udcff").encode("ascii")) == "/a b/ü%/\udcff"
    for value in (b"", b"relative", b"/a%00b", b"~"):
        assert decoded(value) == ""


def test_a_folder_that_says_nothing_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for folder, found in ((tmp_path / "home", ""), (Path("/"), ""), (tmp_path / "project", str(tmp_path / "project"))):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        assert project_folder() == found
    (tmp_path / "project").rmdir()
    assert project_folder() == ""
