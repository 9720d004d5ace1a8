"""Puts into a data directory what a gateway would have after years: models, keys, usage."""

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from sqlmodel import Session

from shared.domain.keys import ApiKey
from shared.domain.models import LAYERS, Model
from shared.registry.registry import SEEDED
from shared.storage import api_key_rows, facts, model_rows, schema
from shared.storage.database import Database
from shared.storage.usage_summing import Summing

SPAN = timedelta(days=90)
USAGE = """
INSERT INTO usage (at, request_id, caller, model_id, provider, layer, prompt_tokens, completion_tokens, cached_tokens,
                   purpose, cost_pico, outcome, estimated, duration_ms, tags)
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :rows)
SELECT strftime('%Y-%m-%d %H:%M:%f', :from + (:to - :from) * n / :rows, 'unixepoch') || '000', 'request-' || n,
       'key-' || (n % 20), 'model-' || (n % 10), 'openai', 'L' || (n % 4), 900, 20, 0,
       'answer', 940000000, 'ok', 0, 1, '{}'
FROM number
"""


def models(count: int) -> Callable[[Path], None]:
    """That many models besides those of the mock: spread over the layers, all behind those of the mock."""

    def fill(session: Session) -> None:
        model_rows.bump(session)
        model_rows.put(session, (_model(number) for number in range(count)))
        facts.write(session, SEEDED, {"version": 1})

    return partial(_filled, fill)


def keys(count: int) -> Callable[[Path], None]:
    """That many API keys besides the one that is used."""

    def fill(session: Session) -> None:
        for number in range(count):
            api_key_rows.add(session, _key(number), hashlib.sha256(f"key {number}".encode()).hexdigest())

    return partial(_filled, fill)


def nothing(data: Path) -> None:
    """The schema alone, as after a first start: making it loads what is not needed any more."""
    _filled(lambda _: None, data)


def usage(rows: int) -> Callable[[Path], None]:
    """That many usage rows over the last 90 days, and those hours summed up that are past, as a gateway does meanwhile."""
    return partial(_with_usage, rows)


def _with_usage(rows: int, data: Path) -> None:
    with _database(data) as database:
        with sqlite3.connect(data / "gateway.sqlite3") as connection:
            now = time.time()
            connection.execute(USAGE, {"rows": rows, "from": now - SPAN.total_seconds(), "to": now})
        connection.close()
        asyncio.run(summed(database))


async def summed(database: Database) -> None:
    """Sum up all hours that are past, as the background job does."""
    summing = Summing(database, lambda: datetime.now(UTC))
    while await summing.one_hour():
        pass


def _filled(fill: Callable[[Session], None], data: Path) -> None:
    with _database(data) as database:
        database.run_sync(fill)


@contextmanager
def _database(data: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{data / 'gateway.sqlite3'}")
    schema.upgrade(database)
    yield database
    database.engine.dispose()


def _model(number: int) -> Model:
    return Model(
        id=f"model-{number}",
        provider="openai",
        api_model_name=f"model-{number}",
        layer=LAYERS[number % len(LAYERS)],
        priority=number + 10,
        price_per_1k_input_tokens=Decimal("0.001"),
        price_per_1k_output_tokens=Decimal("0.002"),
    )


def _key(number: int) -> ApiKey:
    created = datetime.now(UTC)
    return ApiKey(id=f"key-{number}", name=f"key {number}", prefix="mgw_bench", scopes=["chat"], created_at=created)
