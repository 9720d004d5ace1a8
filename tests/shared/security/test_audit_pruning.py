"""Deletion of old audit entries: in whole segments, under a checkpoint that nobody else can sign."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, delete, update

from shared.domain.audit import AuditCheck
from shared.domain.identity import LOCAL
from shared.security import audit as audit_module
from shared.security.audit import AuditTrail
from shared.security.redaction import Redactor
from shared.security.secrets_box import SecretsBox, new_key
from shared.storage import audit_rows, facts
from shared.storage.database import Database
from shared.storage.tables import AuditRow, FactRow
from tests.support.clock import Clock

OLD = 8


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(tmp_path: Path) -> SecretsBox:
    return SecretsBox.from_setting("", tmp_path / "secrets.key")


@pytest.fixture
async def trail(database: Database, clock: Clock, box: SecretsBox, monkeypatch: pytest.MonkeyPatch) -> AuditTrail:
    """Eight old entries and two of today, in segments of three."""
    monkeypatch.setattr(audit_module, "SEGMENT", 3)
    await box.verify_against(database)
    made = AuditTrail(database, clock, Redactor(), box=box)
    for number in range(OLD):
        await made.record(LOCAL, "test", {"number": number}, "ok")
    clock.advance(days=10)
    for number in range(OLD, OLD + 2):
        await made.record(LOCAL, "test", {"number": number}, "ok")
    return made


async def pruned(trail: AuditTrail, database: Database, clock: Clock) -> list[int]:
    """Delete what is older than a day; the sizes of the batches."""
    before = clock() - timedelta(days=1)
    done: list[int] = []
    while count := await database.run(lambda session: trail.prune(session, before=before)):
        done.append(count)
    return done


def checkpoint(change: Callable[[dict[str, Any]], object]) -> Callable[[Session], None]:
    """Change the stored checkpoint."""

    def work(session: Session) -> None:
        value = dict(facts.read(session, audit_rows.CHECKPOINT))
        change(value)
        facts.write(session, audit_rows.CHECKPOINT, value)

    return work


async def test_whole_segments_go_and_the_rest_is_verified_from_the_checkpoint(
    trail: AuditTrail, database: Database, clock: Clock
) -> None:
    assert await pruned(trail, database, clock) == [3, 3], "the third segment is not old as a whole"
    check = await trail.verify()
    assert check == AuditCheck(valid=True, entries=4, pruned=6, pruned_until=clock() - timedelta(days=10))
    await trail.record(LOCAL, "after", {}, "ok")
    assert (await trail.verify()).entries == 5
    clock.advance(days=10)
    assert await pruned(trail, database, clock) == [3]
    assert (await trail.verify()).pruned == 9
    assert await pruned(trail, database, clock) == [], "the newest entry stays"


@pytest.mark.parametrize(
    ("tamper", "broken"),
    [
        (lambda session: session.exec(delete(AuditRow).where(col(AuditRow.sequence) == 7)), 7),
        (lambda session: session.exec(update(AuditRow).where(col(AuditRow.sequence) == 8).values(action="x")), 8),
        (lambda session: session.exec(delete(AuditRow).where(col(AuditRow.sequence) == 10)), 10),
        (checkpoint(lambda value: value.update(sequence=7)), 1),
        (checkpoint(lambda value: value.update(hash="0" * 64)), 1),
        (checkpoint(lambda value: value.update(seal="forged")), 1),
        (checkpoint(lambda value: value.pop("seal")), 1),
        (lambda session: session.exec(delete(FactRow).where(col(FactRow.name) == audit_rows.CHECKPOINT)), 1),
    ],
)
async def test_whatever_is_changed_after_the_deletion_is_found(
    trail: AuditTrail, database: Database, clock: Clock, tamper: Callable[[Session], object], broken: int
) -> None:
    await pruned(trail, database, clock)
    await database.run(tamper)
    check = await trail.verify()
    assert (check.valid, check.first_broken) == (False, broken)
    assert check.reason


async def test_an_older_checkpoint_put_back_is_found(trail: AuditTrail, database: Database, clock: Clock) -> None:
    before = clock() - timedelta(days=1)
    await database.run(lambda session: trail.prune(session, before=before))
    older = await database.read(lambda session: facts.read(session, audit_rows.CHECKPOINT))
    await database.run(lambda session: trail.prune(session, before=before))
    await database.run(lambda session: facts.write(session, audit_rows.CHECKPOINT, older))
    assert (await trail.verify()).first_broken == 4


async def test_a_broken_segment_is_kept_as_evidence(trail: AuditTrail, database: Database, clock: Clock) -> None:
    change = update(AuditRow).where(col(AuditRow.sequence) == 5).values(outcome="forged")
    await database.run(lambda session: session.exec(change))
    assert await pruned(trail, database, clock) == [3]
    check = await trail.verify()
    assert (check.valid, check.entries, check.first_broken) == (False, 1, 5)


async def test_a_forged_checkpoint_lets_nothing_be_deleted(trail: AuditTrail, database: Database, clock: Clock) -> None:
    await pruned(trail, database, clock)
    await database.run(checkpoint(lambda value: value.update(sequence=7)))
    clock.advance(days=10)
    assert await pruned(trail, database, clock) == []


async def test_the_signature_outlives_a_rotation_of_the_key_and_no_other_key_knows_it(
    trail: AuditTrail, database: Database, clock: Clock, box: SecretsBox
) -> None:
    await pruned(trail, database, clock)
    assert await box.rotate(database) == 1
    assert (await trail.verify()).valid
    other = AuditTrail(database, clock, Redactor(), box=SecretsBox(new_key()))
    check = await other.verify()
    assert (check.valid, check.entries) == (False, 0)
    assert "SECRETS_KEY" in check.reason


async def test_entries_that_are_deleted_while_the_chain_is_walked_are_not_missing(
    trail: AuditTrail, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "CHECKED_AT_ONCE", 2)
    read = database.read
    reads = 0

    async def read_and_prune(work: Any) -> Any:
        nonlocal reads
        found = await read(work)
        reads += 1
        if reads == 1:
            await pruned(trail, database, clock)
        return found

    monkeypatch.setattr(database, "read", read_and_prune)
    check = await trail.verify()
    assert (check.valid, check.entries, check.pruned) == (True, 4, 6)
