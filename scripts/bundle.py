"""Build the bundle (.mcpb) that Claude Desktop installs with a double click: our sources, and a manifest for uv to run them by."""

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("mcp_gateway", "http_api", "shared")
BESIDE = ("README.md", "LICENSE")
VALIDATOR = "@anthropic-ai/mcpb@2.1.2"
EARLIEST = (1980, 1, 1, 0, 0, 0)
KEYS = {
    "openrouter_api_key": ("OpenRouter", "Free models, and hundreds that bill."),
    "openai_api_key": ("OpenAI", "Models of the layers L1 to L3."),
    "anthropic_api_key": ("Anthropic", "Models of the layers L1 to L3."),
}


def main(out: Path) -> Path:
    """Write the bundle into the folder `out`; returns the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    files = contents(project)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{project['name']}-{project['version']}.mcpb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in sorted(files):
            bundle.writestr(zipfile.ZipInfo(name, EARLIEST), files[name], zipfile.ZIP_DEFLATED)
    return path


def contents(project: dict[str, Any]) -> dict[str, bytes]:
    """Every file of the bundle, by its name in it."""
    sources = (
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sources}
    files |= {name: (ROOT / name).read_bytes() for name in BESIDE}
    files["pyproject.toml"] = pinned((ROOT / "pyproject.toml").read_text("utf-8")).encode()
    files["manifest.json"] = json.dumps(manifest(project), indent=2).encode()
    return files


def pinned(pyproject: str) -> str:
    """The project for uv, held to the versions that we test with."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    return f"{pyproject}\n[tool.uv]\nconstraint-dependencies = {json.dumps(pins, indent=4)}\n"


def manifest(project: dict[str, Any]) -> dict[str, Any]:
    """What a host is told: how to start us, and what to ask the user for."""
    return {
        "manifest_version": "0.4",
        "name": project["name"],
        "display_name": "AI MCP Gateway",
        "version": project["version"],
        "description": project["description"],
        "author": {"name": "The AI MCP Gateway authors"},
        "license": project["license"],
        "keywords": project["keywords"],
        "server": {
            "type": "uv",
            "entry_point": "mcp_gateway/__main__.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--project", "${__dirname}", "--no-dev", "mcp-gateway", "stdio"],
                "env": {name.upper(): f"${{user_config.{name}}}" for name in KEYS},
            },
        },
        "tools_generated": True,
        "prompts_generated": True,
        "compatibility": {"platforms": ["darwin", "linux"], "runtimes": {"python": project["requires-python"]}},
        "user_config": {
            name: {
                "type": "string",
                "title": f"{title} API key",
                "description": f"{what} May stay empty.",
                "sensitive": True,
                "required": False,
                "default": "",
            }
            for name, (title, what) in KEYS.items()
        },
    }


def validate(path: Path) -> None:
    """Have the format's own tool look at the manifest, where npm is. Raises CalledProcessError."""
    npx = shutil.which("npx")
    if npx is None:
        print("Not validated: npx is not here.")
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as bundle:
        bundle.extract("manifest.json", folder)
        subprocess.run([npx, "--yes", VALIDATOR, "validate", f"{folder}/manifest.json"], check=True)


if __name__ == "__main__":
    built = main(ROOT / "dist")
    print(f"{built.relative_to(ROOT)}: {built.stat().st_size / 1024:.0f} KiB")
    try:
        validate(built)
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: the manifest is not valid (exit {error.returncode})")
