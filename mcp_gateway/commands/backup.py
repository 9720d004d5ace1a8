"""`mcp-gateway backup` and `restore`: the database as one file, and the secrets key apart from it."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_gateway.commands.output import AsJson, print_json
from shared.errors import Conflict, InvalidInput, Unavailable
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.storage.backups import Copy

KEY_APART = "The secrets key is not in it: without the key, stored provider keys and connection secrets are lost."
COUNTS_AGAIN = (
    "What was revoked or deleted after the backup was made counts again: look at `mcp-gateway keys list` and "
    "`mcp-gateway admin users` before others can reach the gateway."
)
KeyFile = Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="File of the secrets key.")]


def backup(
    file: Annotated[Path, typer.Argument(help="New file for the copy; an existing one is never overwritten.")],
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Copy the SQLite database while gateways run, into one checked file. For PostgreSQL it says how to use pg_dump.

    The secrets key is not part of the copy. --key-file writes it to a file of its own, to be kept in another place.
    """
    from mcp_gateway.commands.opening import settings_here
    from shared.storage import backups

    settings = settings_here()
    made = backups.make(_database(settings, "pg_dump --format=custom --file={file} {url}", file), file)
    try:
        key = _key(settings, None)
        _check_key(made, key)
        if key_file is not None:
            _write_key(key_file, key)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": size, "schema": made.revision, "keyFile": key_file and str(key_file)})
        return
    print(visible(f"{file}: {size} bytes, schema {made.revision}, checked."))
    print(visible(f"The secrets key is in {key_file}; keep it in another place." if key_file else _where(settings)))


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `mcp-gateway backup` made.")],
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the SQLite database. Every gateway on it must be stopped.

    The database before is kept beside it. A backup of an older version is migrated at the next start; one of a newer version is refused.
    """
    from mcp_gateway.commands.opening import settings_here
    from shared.storage import backups, schema

    settings, now = settings_here(), datetime.now(UTC)
    path = _database(settings, "pg_restore --clean --if-exists --single-transaction --dbname={url} {file}", file)
    found = backups.look(file)
    schema.refuse_newer(found.revision)
    key = _key(settings, key_file)
    _check_key(found, key)
    with backups.unused(path):
        before = backups.put_back(file, path, now)
        if key_file is not None:
            _put_key(settings, key, now)
    if as_json:
        print_json({"database": str(path), "schema": found.revision, "before": before and str(before)})
        return
    print(visible(f"{path} is the backup now, schema {found.revision}."))
    if before is not None:
        print(visible(f"The database before is kept as {before}; delete it when all is well."))
    print(COUNTS_AGAIN)


def _database(settings: "Settings", command: str, file: Path) -> Path:
    """The SQLite file. Raises Unsupported for PostgreSQL, with the command of its own tools."""
    from sqlalchemy.engine import make_url

    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return Path(url.database)
    if url.get_backend_name() == "sqlite":
        raise InvalidInput("The database is in memory; there is nothing to copy.", code="no_database")
    plain = url.set(drivername="postgresql").render_as_string(hide_password=True)
    shown = command.format(url=shlex.quote(plain), file=shlex.quote(str(file)))
    raise InvalidInput(
        f"The database is PostgreSQL; use its own tools: {shown} (docs/operations.md).", code="use_pg_dump"
    )


def _key(settings: "Settings", key_file: Path | None) -> str:
    """The secrets key: from the file, else from the settings, else the one that is kept in DATA_DIR; else empty."""
    from shared.security import secret_files

    setting = settings.secrets_key.get_secret_value()
    if key_file is None and setting:
        return setting
    if key_file is not None and setting:
        raise Conflict("SECRETS_KEY is set and would win over --key-file; leave one of them out.")
    place = key_file or _kept(settings)
    if not place.exists():
        if key_file is None:
            return ""
        raise InvalidInput(f"There is no file {key_file}; --key-file names the file of the secrets key.")
    return secret_files.read(place).decode("ascii", "replace")


def _check_key(copy: "Copy", key: str) -> None:
    """Raises InvalidInput when the key does not open what the copy holds."""
    from shared.security.secrets_box import SecretsBox

    if copy.sealed is None:
        return
    try:
        SecretsBox(key).open(copy.sealed)
    except (InvalidInput, Unavailable):
        raise InvalidInput(
            "The secrets key does not open this backup's secrets, so no gateway would start on it; give the key of the "
            "same time with --key-file, or set SECRETS_KEY. Nothing was changed.",
            code="wrong_secrets_key",
        ) from None


def _write_key(place: Path, key: str) -> None:
    from shared.security import secret_files

    if place.exists():
        raise Conflict(f"{place} exists; a backup overwrites nothing. Choose another name.")
    if not place.parent.is_dir():
        raise InvalidInput(f"There is no folder {place.parent} for the secrets key; make it first.")
    secret_files.replace(place, key.encode())


def _put_key(settings: "Settings", key: str, now: datetime) -> None:
    """The key of the backup into DATA_DIR; another one that was there is kept, for the database before."""
    from shared.security import secret_files
    from shared.storage.backups import give_to_owner

    place = _kept(settings)
    if place.exists() and secret_files.read(place).decode("ascii", "replace") != key:
        place.rename(place.with_name(f"{place.name}.before-{now:%Y%m%dT%H%M%SZ}"))
    secret_files.replace(place, key.encode())
    give_to_owner(place)


def _kept(settings: "Settings") -> Path:
    return settings.data_dir / "secrets.key"


def _where(settings: "Settings") -> str:
    """The sentence about the key that was not copied."""
    place = "SECRETS_KEY of the settings" if settings.secrets_key.get_secret_value() else str(_kept(settings))
    return f"{KEY_APART} Keep a copy of {place} in another place (--key-file writes one)."
