"""`mcp-gateway install` and `uninstall` on configuration files as hosts leave them."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.installing.clients import clients
from mcp_gateway.installing.editing import editor_of
from tests.mcp_gateway.commands.conftest import Shell

CLIENTS = {
    "claude-desktop": (".config/Claude/claude_desktop_config.json", "mcpServers"),
    "claude-code": (".claude.json", "mcpServers"),
    "vscode": (".config/Code/User/mcp.json", "servers"),
    "cursor": (".cursor/mcp.json", "mcpServers"),
    "zed": (".config/zed/settings.json", "context_servers"),
    "opencode": (".config/opencode/opencode.json", "mcp"),
    "cline": (".cline/data/settings/cline_mcp_settings.json", "mcpServers"),
    "continue": (".continue/mcpServers/ai-mcp-gateway.json", "mcpServers"),
    "codex": (".codex/config.toml", "mcp_servers"),
    "qwen-code": (".qwen/settings.json", "mcpServers"),
    "goose": (".config/goose/config.yaml", "extensions"),
}
MODELS = {
    "claude-code": ".claude/settings.json",
    "zed": ".config/zed/settings.json",
    "opencode": ".config/opencode/opencode.json",
    "cline": ".cline/data/settings/providers.json",
    "continue": ".continue/models/ai-mcp-gateway.yaml",
    "codex": ".codex/config.toml",
    "qwen-code": ".qwen/settings.json",
    "goose": ".config/goose/custom_providers/ai-mcp-gateway.json",
    "aider": ".aider.conf.yml",
    "llm": ".config/io.datasette.llm/extra-openai-models.yaml",
}
CONFIGURED = {
    "codex": (
        ".codex/config.toml",
        '# mine\nmodel = "gpt-6"  # the best\n\n[mcp_servers.theirs]\ncommand = "y" # keep\n\n# about projects\n[projects."/a"]\n',
    ),
    "goose": (
        ".config/goose/config.yaml",
        "# mine\nGOOSE_MODE: auto # always\nextensions:\n  # theirs\n  memory:\n    enabled: true\n\n# the end\nz: |\n  text\n\n",
    ),
    "aider": (".aider.conf.yml", "# mine\ndark-mode: true # of course\nread:\n- A.md\n- B.md\n"),
    "llm": (".config/io.datasette.llm/extra-openai-models.yaml", "# mine\n- model_id: x # theirs\n  model_name: y\n\n"),
    "qwen-code": (".qwen/settings.json", '{\n  // mine\n  "ui": {}, // keep\n  "$version": 4\n}\n'),
}
"""Files with comments, as a user leaves them."""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the places are Linux's")


@pytest.fixture
def home(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DATA_DIR")
    monkeypatch.delenv("APPDATA", raising=False)
    return tmp_path


def config(home: Path, client: str) -> Path:
    path = home / CLIENTS[client][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def entries(home: Path, client: str) -> dict[str, Any]:
    path, key = CLIENTS[client]
    found: dict[str, Any] = read(home / path)[key]
    return found


def read(path: Path) -> Any:
    return editor_of(path).loads(path.read_text())


def backups(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}.*.backup"))


@pytest.mark.parametrize("client", CLIENTS)
def test_each_host_gets_an_entry_with_a_whole_path(shell: Shell, home: Path, client: str) -> None:
    done = shell("install", client)
    assert done.code == 0, done.err
    entry = entries(home, client)["ai-mcp-gateway"]
    words = entry["command"] if client == "opencode" else [entry.get("command") or entry.get("cmd", ""), *entry["args"]]
    assert os.path.isabs(words[0])
    assert os.access(words[0], os.X_OK)
    assert words[-1] == "stdio"
    assert stat.S_IMODE((home / CLIENTS[client][0]).stat().st_mode) == 0o600
    again = shell("install", client)
    assert "nothing was changed" in again.out
    assert shell("uninstall", client).code == 0
    left = home / CLIENTS[client][0]
    assert not left.exists() or read(left) == {}
    assert left.exists() == (client not in ("continue", "codex", "goose"))  # these leave a text with nothing in it


def test_what_else_is_in_the_file_stays_and_a_copy_is_left(shell: Shell, home: Path) -> None:
    path = config(home, "zed")
    before = '{\n  // mine\n  "theme": "One", // dark\n  "context_servers": {\n    "x": {"command": "y"},\n  },\n}\n'
    path.write_text(before)
    path.chmod(0o640)
    done = shell("install", "zed", "--connect", "--url", "http://127.0.0.1:3100")
    after = path.read_text()
    assert set(before.splitlines()) <= set(after.splitlines())
    assert '"--connect",\n        "http://127.0.0.1:3100"' in after
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    (copy,) = backups(path)
    assert copy.read_text() == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert str(copy) in done.out
    shell("uninstall", "zed")
    assert path.read_text() == before


def test_installing_and_uninstalling_in_turn_leaves_the_file_as_it_was_and_few_copies(shell: Shell, home: Path) -> None:
    path = config(home, "zed")
    before = '{\n  "theme": "One"\n}\n'
    path.write_text(before)
    for _ in range(3):
        shell("install", "zed")
        shell("uninstall", "zed")
        assert path.read_text() == before
    assert len(backups(path)) == 2
    assert before in [copy.read_text() for copy in backups(path)]


def written(home: Path, client: str) -> Any:
    return read(home / MODELS[client])


@pytest.mark.parametrize("client", MODELS)
def test_an_agent_also_takes_its_models_from_the_gateway(shell: Shell, home: Path, client: str) -> None:
    done = shell("install", client, "--url", "127.0.0.1:3100/mcp")
    assert done.code == 0, done.err
    text = (home / MODELS[client]).read_text()
    assert "http://127.0.0.1:3100" in text
    assert "/mcp/" not in text
    assert stat.S_IMODE((home / MODELS[client]).stat().st_mode) == 0o600
    assert "`mcp-gateway serve` must run there" in done.out
    assert "nothing was changed" in shell("install", client, "--url", "127.0.0.1:3100/mcp").out
    assert shell("install", client, "--undo").code == 0
    left = home / MODELS[client]
    assert not left.exists() or "3100" not in left.read_text()
    assert "Nothing of this gateway is in" in shell("install", client, "--undo").err


def test_each_agent_gets_its_own_form(shell: Shell, home: Path) -> None:
    for client in MODELS:
        assert shell("install", client, "--only", "models").code == 0
        shared = client in ("zed", "opencode", "codex", "qwen-code", "goose", "aider", "llm")
        assert shared or not (home / CLIENTS[client][0]).exists()
    address = "http://127.0.0.1:3000"
    assert written(home, "claude-code")["env"] == {
        "ANTHROPIC_BASE_URL": address,
        "ANTHROPIC_AUTH_TOKEN": "ai-mcp-gateway",
    }
    assert written(home, "opencode")["model"] == "ai-mcp-gateway/auto"
    assert written(home, "opencode")["provider"]["ai-mcp-gateway"]["options"]["baseURL"] == f"{address}/v1"
    cline = written(home, "cline")
    assert cline["providers"][cline["lastUsedProvider"]]["settings"]["baseUrl"] == f"{address}/v1"
    assert written(home, "continue")["models"][0]["apiBase"] == f"{address}/v1"
    zed = written(home, "zed")["language_models"]["openai_compatible"]["AI MCP gateway"]
    assert (zed["api_url"], zed["available_models"][0]["name"]) == (f"{address}/v1", "auto")
    codex = written(home, "codex")
    provider = codex["model_providers"][codex["model_provider"]]
    assert (provider["base_url"], provider["wire_api"], "env_key" in provider) == (f"{address}/v1", "responses", False)
    qwen = written(home, "qwen-code")
    assert qwen["security"]["auth"] == {
        "selectedType": "openai",
        "baseUrl": f"{address}/v1",
        "apiKey": "ai-mcp-gateway",
    }
    goose = read(home / ".config/goose/config.yaml")
    assert goose["providers"][goose["active_provider"]]["model"] == "auto"
    assert written(home, "goose")["base_url"] == f"{address}/v1/chat/completions"
    assert written(home, "aider")["openai-api-base"] == f"{address}/v1"
    assert (written(home, "llm")[0]["model_name"], written(home, "llm")[0]["api_base"]) == ("auto", f"{address}/v1")
    assert read(home / ".config/io.datasette.llm/keys.json") == {"ai-mcp-gateway": "ai-mcp-gateway"}


@pytest.mark.parametrize("client", CONFIGURED)
def test_comments_and_other_entries_stay_in_every_format(shell: Shell, home: Path, client: str) -> None:
    path, before = home / CONFIGURED[client][0], CONFIGURED[client][1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(before)
    theirs = read(path)
    done = shell("install", client)
    assert done.code == 0, done.err
    text = path.read_text()
    lines = [line.removesuffix(",") for line in text.splitlines()]
    assert [line for line in before.splitlines() if line not in lines and not line.endswith("// keep")] == []
    assert text.count("keep") == before.count("keep")
    assert "ai-mcp-gateway" in text
    assert "nothing was changed" in shell("install", client).out
    assert shell("uninstall", client).code == 0
    assert read(path) == theirs
    assert path.read_text() == before


def test_a_default_that_stays_is_named_with_what_to_set(shell: Shell, home: Path) -> None:
    path = config(home, "codex")
    path.write_text('model = "gpt-6"\nmodel_provider = "theirs"\n')
    out = shell("install", "codex").out
    assert f"{path} keeps its model_provider; set it to ai-mcp-gateway to start on the gateway." in out
    assert written(home, "codex")["model_provider"] == "theirs"


def test_codex_and_goose_take_the_key_from_the_environment(
    shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_GATEWAY_TOKEN", "mgw_secret")
    assert shell("install", "codex").code == 0
    assert shell("install", "goose").code == 0
    assert written(home, "codex")["model_providers"]["ai-mcp-gateway"]["env_key"] == "MCP_GATEWAY_TOKEN"
    assert (written(home, "goose")["api_key_env"], written(home, "goose")["requires_auth"]) == (
        "MCP_GATEWAY_TOKEN",
        True,
    )
    assert "mgw_secret" not in (home / MODELS["codex"]).read_text() + (home / MODELS["goose"]).read_text()


@pytest.mark.parametrize("client", ["aider", "llm"])
def test_a_client_without_servers_gets_its_models_only(shell: Shell, home: Path, client: str) -> None:
    assert "takes no MCP servers" in shell("install", client, "--only", "tools").err
    assert shell("install", client).code == 0
    (listed,) = [entry for entry in shell("install", "--json").json["clients"] if entry["client"] == client]
    assert (listed["found"], listed["user"]) == (True, ["models"])


@pytest.mark.parametrize(
    ("client", "text"),
    [
        ("codex", 'model_providers = { theirs = { name = "x" } }\n'),
        ("codex", "[broken\n"),
        ("goose", "extensions: {memory: {enabled: true}}\n"),
        ("goose", "a: 1\n--- \nb: 2\n"),
        ("aider", "{dark-mode: true}\n"),
        ("llm", "[{model_id: x}]\n"),
    ],
)
def test_an_unusual_file_is_left_alone_and_the_text_is_shown(shell: Shell, home: Path, client: str, text: str) -> None:
    path = home / (CONFIGURED[client][0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    done = shell("install", client)
    assert done.code == 1
    assert "cannot be edited" in done.err
    assert "This is what belongs into it:" in done.err
    assert path.read_text() == text


def test_either_half_can_be_had_alone(shell: Shell, home: Path) -> None:
    assert shell("install", "claude-code", "--only", "tools").code == 0
    assert not (home / ".claude").exists()
    assert "takes no address of models" in shell("install", "cursor", "--only", "models").err
    assert shell("install", "claude-code").code == 0
    assert shell("uninstall", "claude-code", "--only", "models").code == 0
    assert written(home, "claude-code") == {}
    assert "ai-mcp-gateway" in entries(home, "claude-code")


def test_the_rest_of_an_agents_settings_stays(shell: Shell, home: Path) -> None:
    path = home / MODELS["claude-code"]
    path.parent.mkdir()
    before = '{\n  "env": {\n    "EDITOR": "vi"\n  },\n  "theme": "dark"\n}\n'
    path.write_text(before)
    assert shell("install", "claude-code").code == 0
    assert written(home, "claude-code")["env"]["EDITOR"] == "vi"
    (copy,) = backups(path)
    assert copy.read_text() == before
    assert shell("install", "claude-code", "--undo").code == 0
    assert path.read_text() == before


def test_another_address_of_models_is_not_taken(shell: Shell, home: Path) -> None:
    path = home / MODELS["claude-code"]
    path.parent.mkdir()
    before = '{"env": {"ANTHROPIC_BASE_URL": "https://proxy.example.com"}}\n'
    path.write_text(before)
    done = shell("install", "claude-code")
    assert done.code == 1
    assert "has another env.ANTHROPIC_BASE_URL" in done.err
    assert not (home / ".claude.json").exists()
    assert shell("install", "claude-code", "--only", "tools").code == 0
    assert shell("uninstall", "claude-code").code == 0
    assert path.read_text() == before


def test_an_earlier_address_and_key_of_ours_are_renewed(
    shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell("install", "claude-code").code == 0
    monkeypatch.setenv("MCP_GATEWAY_TOKEN", "mgw_secret")
    done = shell("install", "claude-code", "--url", "https://gateway.example.com")
    assert done.code == 0, done.err
    assert "mgw_secret" not in done.out
    env = {"ANTHROPIC_BASE_URL": "https://gateway.example.com", "ANTHROPIC_AUTH_TOKEN": "mgw_secret"}
    assert written(home, "claude-code")["env"] == env
    assert shell("install", "claude-code").code == 0


def test_a_model_that_the_user_chose_stays(shell: Shell, home: Path) -> None:
    path = config(home, "opencode")
    path.write_text('{\n  // mine\n  "model": "anthropic/claude-sonnet-5"\n}\n')
    before = path.read_text()
    assert shell("install", "opencode").code == 0
    assert '"model": "anthropic/claude-sonnet-5"' in path.read_text()
    assert shell("uninstall", "opencode").code == 0
    assert path.read_text() == before


def test_an_existing_file_with_comments_in_its_name_is_used(shell: Shell, home: Path) -> None:
    path = config(home, "opencode").with_suffix(".jsonc")
    path.write_text("{}")
    assert shell("install", "opencode").code == 0
    assert "ai-mcp-gateway" in path.read_text()
    assert not config(home, "opencode").exists()


def test_both_halves_are_printed_and_told_as_json(shell: Shell, home: Path) -> None:
    printed = shell("install", "claude-code", "--print")
    assert '"mcpServers"' in printed.out
    assert '"ANTHROPIC_BASE_URL"' in printed.out
    assert [line for line in printed.err.splitlines() if line.startswith("For ")] == [
        f"For {home / '.claude.json'}:",
        f"For {home / '.claude' / 'settings.json'}:",
    ]
    done = shell("install", "claude-code", "--json").json
    assert [(file["file"], file["changed"]) for file in done["files"]] == [
        (str(home / ".claude.json"), True),
        (str(home / ".claude" / "settings.json"), True),
    ]


def test_a_comment_among_the_servers_keeps_their_object(shell: Shell, home: Path) -> None:
    path = config(home, "zed")
    path.write_text('{\n  "context_servers": {\n    // mine\n  }\n}\n')
    shell("install", "zed")
    shell("uninstall", "zed")
    assert "// mine" in path.read_text()


def test_what_was_done_can_be_had_as_json(shell: Shell, home: Path) -> None:
    path = config(home, "cursor")
    planned = shell("install", "cursor", "--dry-run", "--json").json
    assert (planned["changed"], planned["backup"]) == (False, None)
    assert '"ai-mcp-gateway"' in planned["difference"]
    assert not path.exists()
    done = shell("install", "cursor", "--json").json
    assert (done["client"], done["file"], done["changed"]) == ("cursor", str(path), True)
    assert done["command"][-1] == "stdio"
    assert shell("install", "cursor", "--json").json["changed"] is False
    gone = shell("uninstall", "cursor", "--json").json
    assert gone["changed"] is True
    assert Path(gone["backup"]).is_file()
    assert "error" in shell("uninstall", "cursor", "--json").json


@pytest.mark.parametrize(("command", "form"), [("install", "[CLIENT]"), ("uninstall", "{CLIENT}")])
def test_help_shows_the_argument_as_it_is_typed(shell: Shell, home: Path, command: str, form: str) -> None:
    said = shell(command, "--help").out
    assert f"[OPTIONS] {form} " in said
    for wrong in ("[[", "{[", "host"):
        assert wrong not in said
    if command == "uninstall":
        assert "Missing argument 'CLIENT'" in shell(command).err


def test_a_link_stays_a_link(shell: Shell, home: Path) -> None:
    real = home / "dotfiles.json"
    real.write_text("{}")
    config(home, "cursor").symlink_to(real)
    shell("install", "cursor")
    assert config(home, "cursor").is_symlink()
    assert "ai-mcp-gateway" in real.read_text()


@pytest.mark.parametrize("way", ["--dry-run", "--print"])
def test_looking_changes_nothing(shell: Shell, home: Path, way: str) -> None:
    path = config(home, "vscode")
    path.write_text('{"servers": {"x": {"command": "y", "env": {"KEY": "secret"}}}}\n')
    before = path.read_text()
    done = shell("install", "vscode", way)
    assert done.code == 0
    assert '"ai-mcp-gateway"' in done.out
    assert path.read_text() == before
    assert backups(path) == []
    if way == "--print":
        assert json.loads(done.out)["servers"]["ai-mcp-gateway"]["type"] == "stdio"


def test_a_file_that_cannot_be_edited_is_left_with_what_to_paste(shell: Shell, home: Path) -> None:
    path = config(home, "claude-desktop")
    path.write_text('{"mcpServers": [')
    done = shell("install", "claude-desktop")
    assert done.code == 1
    assert "Nothing was changed" in done.err
    assert '"args"' in done.err
    assert path.read_text() == '{"mcpServers": ['


def test_another_servers_name_is_not_taken_from_it(shell: Shell, home: Path) -> None:
    config(home, "cursor").write_text('{"mcpServers": {"files": {"command": "npx", "args": ["files"]}}}')
    for command in ("install", "uninstall"):
        done = shell(command, "cursor", "--name", "files")
        assert done.code == 1
    assert entries(home, "cursor") == {"files": {"command": "npx", "args": ["files"]}}
    assert shell("install", "cursor", "--name", "gateway").code == 0
    assert "gateway: say --name" in shell("uninstall", "cursor").err


def test_an_older_entry_of_ours_is_renewed(shell: Shell, home: Path) -> None:
    config(home, "cursor").write_text('{"mcpServers": {"ai-mcp-gateway": {"command": "mcp-gateway", "args": []}}}')
    assert shell("install", "cursor").code == 0
    assert os.path.isabs(entries(home, "cursor")["ai-mcp-gateway"]["command"])


def test_a_project_has_a_file_of_its_own(shell: Shell, home: Path) -> None:
    done = shell("install", "claude-code", "--scope", "project")
    assert "this machine's" in done.out
    assert json.loads((home / "here" / ".mcp.json").read_text())["mcpServers"]["ai-mcp-gateway"]["type"] == "stdio"
    assert not (home / ".claude.json").exists()
    assert "no configuration for a project" in shell("install", "claude-desktop", "--scope", "project").err


def test_the_same_data_directory_is_used_from_the_host(
    shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", "data")
    shell("install", "cursor")
    assert entries(home, "cursor")["ai-mcp-gateway"]["env"] == {"DATA_DIR": str(home / "here" / "data")}


def connecting(shell: Shell, home: Path, *options: str) -> list[str]:
    """What stands behind `stdio` in the entry."""
    done = shell("install", "cursor", "--connect", *options)
    assert done.code == 0, done.err
    args: list[str] = entries(home, "cursor")["ai-mcp-gateway"]["args"]
    return args[args.index("stdio") + 1 :]


def test_a_bridge_leads_to_where_the_gateway_is_here(shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connecting(shell, home) == ["--connect"]
    (home / "here" / ".env").write_text("API_PORT=41402\n")
    assert connecting(shell, home) == ["--connect", "http://127.0.0.1:41402"]
    monkeypatch.setenv("API_PORT", "41401")
    monkeypatch.setenv("API_HOST", "::1")
    assert connecting(shell, home) == ["--connect", "http://[::1]:41401"]
    assert connecting(shell, home, "--url", "localhost:41403") == ["--connect", "localhost:41403"]


def test_what_the_host_finds_by_itself_is_not_written(
    shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = home / "data"
    data.mkdir()
    (data / ".env").write_text("API_PORT=41402\n")
    monkeypatch.setenv("DATA_DIR", str(data))
    assert connecting(shell, home) == ["--connect"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x", "--connect ftp://x is no address of a gateway"),
        ("http://u:p@h:1", "--connect takes no password"),
        ("http://h:0", "is no address of a gateway"),
    ],
)
def test_an_address_that_would_be_refused_later_is_refused_now(shell: Shell, home: Path, url: str, said: str) -> None:
    done = shell("install", "cursor", "--url", url)
    assert done.code == 1
    assert said in done.err
    assert not (home / ".cursor").exists()


def test_without_a_name_it_lists_the_hosts(shell: Shell, home: Path) -> None:
    config(home, "cursor")
    shell("install", "zed")
    done = shell("install", "--json")
    found = {client["client"]: client for client in done.json["clients"]}
    assert list(found) == [*CLIENTS, "aider", "llm"]
    assert [name for name, client in found.items() if client["found"]] == ["cursor", "zed"]
    assert found["zed"]["user"] == ["ai-mcp-gateway"]
    assert "mcp-gateway install CLIENT" in shell("install").out


@pytest.mark.parametrize("arguments", [("emacs",), ("cursor", "--name", "a b"), ("cursor", "--scope", "all")])
def test_what_is_not_known_is_refused(shell: Shell, home: Path, arguments: tuple[str, ...]) -> None:
    done = shell("install", *arguments)
    assert done.code in (1, 2)
    assert done.err
    assert not (home / ".cursor").exists()


@pytest.mark.parametrize(
    ("platform", "places"),
    [
        (
            "darwin",
            [
                "Library/Application Support/Claude/claude_desktop_config.json",
                "Library/Application Support/Code/User/mcp.json",
                ".config/zed/settings.json",
            ],
        ),
        (
            "win32",
            [
                "AppData/Roaming/Claude/claude_desktop_config.json",
                "AppData/Roaming/Code/User/mcp.json",
                "AppData/Roaming/Zed/settings.json",
            ],
        ),
    ],
)
def test_other_platforms_have_their_places(platform: str, places: list[str]) -> None:
    found = {client.id: client.user for client in clients(Path("home"), Path("here"), platform, {})}
    assert [str(found[client]) for client in ("claude-desktop", "vscode", "zed")] == [
        f"home/{place}" for place in places
    ]
