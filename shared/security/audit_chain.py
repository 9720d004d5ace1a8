"""The hash chain of the audit trail: links, faults, and the checkpoints that stand for deleted entries."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared.domain.audit import AuditCheck, AuditEntry
from shared.domain.wire import iso
from shared.errors import Unavailable
from shared.security.secrets_box import SecretsBox
from shared.storage.audit_rows import SEAL


class Checkpoint(NamedTuple):
    """A place in the chain: number, time and hash of the entry there. The chain begins at number 0 without a hash."""

    sequence: int = 0
    at: datetime | None = None
    hash: str = ""


class Checkpoints:
    """Signs checkpoints with SECRETS_KEY, and knows its signatures again, also after a rotation of the key."""

    def __init__(self, box: SecretsBox | None) -> None:
        self._box = box

    def sealed(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """The checkpoint as it is stored, signed. To be called where it is stored, under `exclusive.SEALED`."""
        if self._box is None or checkpoint.at is None:
            raise ValueError("there is nothing to sign, or nothing to sign with")
        told = {"sequence": checkpoint.sequence, "at": checkpoint.at.isoformat(), "hash": checkpoint.hash}
        return {**told, SEAL: self._box.seal(canonical(told))}

    def opened(self, stored: Mapping[str, Any]) -> Checkpoint | None:
        """What a stored checkpoint says; None when it was not signed with this key, or says something else."""
        if self._box is None:
            return None
        told = {name: value for name, value in stored.items() if name != SEAL}
        try:
            if self._box.open(str(stored.get(SEAL))) != canonical(told):
                return None
        except Unavailable:
            return None
        return Checkpoint(told["sequence"], datetime.fromisoformat(told["at"]), told["hash"])


def link(entry: AuditEntry) -> str:
    """SHA-256 over the entry's canonical JSON, the hash before it included."""
    content: list[Any] = [
        entry.sequence,
        iso(entry.at),
        entry.caller,
        entry.address,
        entry.request_id,
        entry.action,
        entry.outcome,
        entry.details,
        entry.previous_hash,
        *filter(None, [entry.trace_id]),  # entries from before there were traces keep their hash
        *([{"cause": entry.cause_request_id}] if entry.cause_request_id else []),
    ]
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def canonical(value: Any) -> str:
    """The value as JSON in its one form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def after(entry: AuditEntry) -> Checkpoint:
    """The place that the next entry continues from."""
    return Checkpoint(entry.sequence, entry.at, entry.hash)


def fault(entry: AuditEntry, place: Checkpoint) -> str:
    """What is wrong with the entry that should continue from there; empty when nothing is."""
    if entry.sequence != place.sequence + 1:
        return "it is missing"
    if entry.previous_hash != place.hash:
        return "it does not follow the entry before it"
    return "" if entry.hash == link(entry) else "it was changed"


def checkpoint_of(entries: Sequence[AuditEntry], base: Checkpoint) -> Checkpoint | None:
    """The checkpoint that stands for these entries, which continue from `base`; None when one of them is wrong."""
    place = base
    for entry in entries:
        if fault(entry, place):
            return None
        place = after(entry)
    return place


def broken(base: Checkpoint, place: Checkpoint, reason: str) -> AuditCheck:
    """The verdict that the entry after `place` is wrong."""
    return _check(base, place.sequence, first_broken=place.sequence + 1, reason=reason)


def ended(base: Checkpoint, place: Checkpoint, head: tuple[int, str]) -> AuditCheck:
    """The verdict where no entry follows; `head` is number and hash of the one that was written last."""
    if (place.sequence, place.hash) == head:
        return _check(base, place.sequence)
    reason = (
        "entries at the end are missing" if place.sequence < head[0] else "it is not the entry that was written last"
    )
    return _check(base, place.sequence, first_broken=min(place.sequence, head[0]) + 1, reason=reason)


def _check(base: Checkpoint, sequence: int, *, first_broken: int | None = None, reason: str = "") -> AuditCheck:
    return AuditCheck(
        valid=first_broken is None,
        entries=sequence - base.sequence,
        pruned=base.sequence,
        pruned_until=base.at,
        first_broken=first_broken,
        reason=reason,
    )
