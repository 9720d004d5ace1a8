"""How this copy was installed, and what to type to add to it."""

from pathlib import Path

import pytest

from shared.providers.installation import Installation, Tool, extra_missing, installation, source_of


@pytest.mark.parametrize(
    ("record", "source"),
    [
        ({}, ("ai-mcp-gateway", False)),
        ({"url": "file:///home/me/my%20gateway", "dir_info": {"editable": True}}, ("/home/me/my gateway", True)),
        ({"url": "file:///tmp/x/gateway.whl", "archive_info": {}}, ("/tmp/x/gateway.whl", False)),
        (
            {"url": "https://git.example.com/gateway", "vcs_info": {"vcs": "git", "commit_id": "1"}},
            ("git+https://git.example.com/gateway", False),
        ),
    ],
)
def test_the_source_is_read_from_the_installers_record(record: dict[str, object], source: tuple[str, bool]) -> None:
    assert source_of(record) == source


@pytest.mark.parametrize(
    ("found", "extra", "pip"),
    [
        (Installation("pip"), "pip install 'ai-mcp-gateway[local]'", "-m ensurepip"),
        (Installation("pip", "/x", True), "pip install --editable '/x[local]'", "-m ensurepip"),
        (Installation("uv", "/x"), "uv pip install '/x[local]'", "uv pip install pip"),
        (
            Installation("uv tool", "/x.whl"),
            "uv tool install --force --with pip '/x.whl[local]'",
            "uv tool install --force --with pip '/x.whl[local]'",
        ),
        (
            Installation("pipx", "git+https://h/g"),
            "pipx install --force 'ai-mcp-gateway[local] @ git+https://h/g' && pipx inject ai-mcp-gateway pip",
            "pipx inject ai-mcp-gateway pip",
        ),
        (
            Installation("uvx"),
            "uvx --with pip --from 'ai-mcp-gateway[local]' mcp-gateway",
            "uvx --with pip --from 'ai-mcp-gateway[local]' mcp-gateway models pull",
        ),
    ],
)
def test_what_to_type_fits_how_it_was_installed(found: Installation, extra: str, pip: str) -> None:
    assert found.to_add_extra("local") == extra
    assert found.to_add_pip().endswith(pip)


@pytest.mark.parametrize(
    ("files", "folder", "tool"),
    [
        ({}, "venv", "pip"),
        ({"pyvenv.cfg": "home = /usr/bin\n"}, "venv", "pip"),
        ({"pyvenv.cfg": "home = /usr/bin\nuv = 0.9\n"}, "venv", "uv"),
        ({"pyvenv.cfg": "uv = 0.9\n", "lib/python3.11/site-packages/pip/__init__.py": ""}, "venv", "pip"),
        ({"pyvenv.cfg": "uv = 0.9\n", "uv-receipt.toml": ""}, "tools/ai-mcp-gateway", "uv tool"),
        ({"pyvenv.cfg": "uv = 0.9\n"}, "archive-v0/abc", "uvx"),
        ({"pipx_metadata.json": "{}"}, "venvs/ai-mcp-gateway", "pipx"),
    ],
)
def test_the_tool_is_known_by_what_it_leaves(tmp_path: Path, files: dict[str, str], folder: str, tool: Tool) -> None:
    for name, text in files.items():
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert installation(tmp_path / folder).tool == tool


def test_a_missing_extra_names_both_ways() -> None:
    said = extra_missing("local")
    assert said.startswith("install the extra: ")
    assert said.endswith("from a checkout: pip install '.[local]'")
