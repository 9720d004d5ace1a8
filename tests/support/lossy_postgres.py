"""A PostgreSQL behind a proxy that can lose the answer to a COMMIT."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import sqlalchemy

from bench.fault_proxy import PostgresProxy
from tests.support.databases import PostgresServer


class Lossy(NamedTuple):
    """The proxy, and the URL of a fresh database behind it."""

    proxy: PostgresProxy
    url: str


@asynccontextmanager
async def lossy(postgres: PostgresServer) -> AsyncIterator[Lossy]:
    """One, for the length of the block."""
    direct = sqlalchemy.make_url(postgres.new_database())
    socket = Path(str(direct.query["host"]), ".s.PGSQL.5432")
    async with PostgresProxy(socket).listening() as proxy:
        through = direct.set(host="127.0.0.1", port=proxy.port, query={"sslmode": "disable", "gssencmode": "disable"})
        yield Lossy(proxy, through.render_as_string(hide_password=False))
