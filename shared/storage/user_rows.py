"""Rows of users and of tokens that were logged out."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple, cast

from sqlmodel import Session, col, delete, select

from shared.domain.accounts import Account
from shared.domain.identity import Role
from shared.storage import facts
from shared.storage.tables import RevokedTokenRow, UserRow

VERSION = "accounts_version"


Work = Callable[[Session], bool]
"""Some writing; whether it changed anything."""


class State(NamedTuple):
    """Every account by its id, and when each revoked token would have expired anyway, at one version."""

    version: int
    accounts: dict[str, Account]
    revoked: dict[str, datetime]


def version(session: Session) -> int:
    """The number that changes with every change that other processes must know of."""
    return int(facts.read(session, VERSION, 0))


def load(session: Session) -> State:
    """Everything. The version is read first: rows may be newer than it and are then read again, never older."""
    number = version(session)
    accounts = {row.id: _account(row) for row in session.exec(select(UserRow))}
    revoked = {row.token_id: row.expires_at for row in session.exec(select(RevokedTokenRow))}
    return State(number, accounts, revoked)


def changed(session: Session, work: Work) -> tuple[bool, State]:
    """Do the work alone, under a new version, and see what there is then."""
    facts.next_version(session, VERSION)
    return work(session), load(session)


def find(session: Session, username: str) -> Account | None:
    """The account of that name."""
    row = session.exec(select(UserRow).where(UserRow.username == username)).first()
    return None if row is None else _account(row)


def add(session: Session, account: Account) -> bool:
    """A new account; False when the name is taken."""
    if find(session, account.username) is not None:
        return False
    session.add(UserRow(**asdict(account)))
    return True


def remove(session: Session, username: str) -> bool:
    """Take an account away; False when there is none of that name."""
    row = session.exec(select(UserRow).where(UserRow.username == username)).first()
    if row is not None:
        session.delete(row)
    return row is not None


def set_password(session: Session, user_id: str, password_hash: str, tokens_valid_after: datetime | None) -> bool:
    """Another password; None leaves the tokens as they are. False when there is no such user."""
    row = session.get(UserRow, user_id)
    if row is None:
        return False
    row.password_hash = password_hash
    row.tokens_valid_after = tokens_valid_after or row.tokens_valid_after
    session.add(row)
    return True


def revoke(session: Session, token_id: str, expires_at: datetime, now: datetime) -> bool:
    """The token no longer counts; those that have expired anyway are forgotten."""
    session.exec(delete(RevokedTokenRow).where(col(RevokedTokenRow.expires_at) < now))
    session.merge(RevokedTokenRow(token_id=token_id, expires_at=expires_at))
    return True


def _account(row: UserRow) -> Account:
    return Account(
        id=row.id,
        username=row.username,
        role=cast("Role", row.role),
        password_hash=row.password_hash,
        created_at=row.created_at,
        tokens_valid_after=row.tokens_valid_after,
    )
