"""Where settings come from: an environment that is handed in, `.env` files and `config.toml`."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
from dotenv import dotenv_values
from pydantic import ValidationError

from shared.settings import APPLICATION, Settings


class SettingsError(Exception):
    """Some settings are wrong. `problems` holds one sentence for each, all of them at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("These settings are wrong:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = problems


def load_settings(
    environ: Mapping[str, str] | None = None, *, directory: Path | None = None, **overrides: Any
) -> Settings:
    """The settings from, highest first: `overrides`, the environment, `.env` in `directory`,
    `.env` in the data directory, `config.toml` there or the file that MCP_GATEWAY_CONFIG names, the defaults.

    Without `directory` no `.env` but the data directory's is read: an editor that starts us inside somebody's
    checkout must not make us take addresses and databases from it. An empty value counts as not set.
    Raises SettingsError with every problem.
    """
    values: dict[str, Any] = {}
    layers = _layers(os.environ if environ is None else environ, directory)
    for _, layer in reversed(layers):
        values.update(layer)
    values.update({name: value for name, value in overrides.items() if value is not None})
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(
            [_problem(found) for found in error.errors(include_input=False, include_url=False)]
        ) from None
    near = () if directory is None else (directory / ".env",)  # absent too: a command could make one for the next start
    settings._files = (*near, *(path for source, _ in layers[2:] if (path := Path(source)).is_file()))
    return settings


def sources(environ: Mapping[str, str] | None = None, *, directory: Path | None = None) -> dict[str, str]:
    """Where each setting that is not at its default comes from, by field name. Raises SettingsError."""
    found: dict[str, str] = {}
    for source, layer in reversed(_layers(os.environ if environ is None else environ, directory)):
        found.update(dict.fromkeys(layer, source))
    return found


def _layers(environ: Mapping[str, str], directory: Path | None) -> list[tuple[str, dict[str, Any]]]:
    """What each source says, highest first."""
    near = dotenv_values(directory / ".env") if directory else {}
    home = Path(environ.get("DATA_DIR") or near.get("DATA_DIR") or platformdirs.user_data_dir(APPLICATION)).expanduser()
    named = environ.get("MCP_GATEWAY_CONFIG")
    config_file = Path(named or home / "config.toml").expanduser()
    return [
        ("environment", dict(_known(environ))),
        (str(directory / ".env") if directory else "", dict(_known(near))),
        (str(home / ".env"), dict(_known(dotenv_values(home / ".env")))),
        (str(config_file), _from_toml(config_file, named=bool(named))),
    ]


def _known(environ: Mapping[str, str | None]) -> dict[str, str]:
    names = {name.upper(): name for name in Settings.model_fields}
    return {names[key]: value for key, value in environ.items() if key in names and value}


def _from_toml(path: Path, *, named: bool) -> dict[str, Any]:
    """What the file says; nothing where there is none and none was named."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if named:
            raise SettingsError([f"MCP_GATEWAY_CONFIG: there is no file {path}; correct or unset it"]) from None
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError([f"{path} cannot be read: {error}"]) from None
    return {key.lower(): value for key, value in found.items()}


def _problem(found: Any) -> str:
    name = str(found["loc"][0]).upper() if found["loc"] else "settings"
    if found["type"] == "extra_forbidden":
        return f"{name} is not a setting; `mcp-gateway config show` lists them"
    message = found["msg"].removeprefix("Value error, ")
    return f"{name}: {message[:1].lower()}{message[1:]}"
