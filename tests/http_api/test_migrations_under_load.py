"""Migrations by another process while a gateway runs: statements that it prepared before them go on working."""

from pathlib import Path

from sqlalchemy import create_engine, text

from tests.support.databases import PostgresServer
from tests.support.http_gateway import surface

PREPARED_AFTER = 5
"""psycopg prepares a statement when it is executed for the sixth time on a connection."""
CONNECTIONS = 6


async def test_a_changed_column_fails_no_request_and_leaves_no_key_behind(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.new_database()
    async with surface(tmp_path, database_url=url, audit_chats=False) as made:
        number = 0

        async def keys(count: int) -> list[int]:
            nonlocal number
            statuses = []
            for _ in range(count):
                number += 1
                answer = await made.http.post("/v1/keys", json={"name": f"key {number}", "scopes": ["chat"]})
                statuses.append(answer.status_code)
            return statuses

        assert set(await keys((PREPARED_AFTER + 2) * CONNECTIONS)) == {201}
        for kind in ("integer", "bigint"):
            admin = create_engine(url)
            with admin.begin() as connection:
                connection.execute(text(f"ALTER TABLE audit ALTER COLUMN sequence TYPE {kind}"))
            admin.dispose()
            assert set(await keys((PREPARED_AFTER + 2) * CONNECTIONS)) == {201}
        assert len((await made.http.get("/v1/keys")).json()["keys"]) == number
        assert (await made.http.get("/v1/audit/verify")).json()["valid"]
