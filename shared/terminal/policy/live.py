"""The command policy in force: from the operator's file, or as it was put at run time, and then stored."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import anyio.to_thread
from pydantic import ValidationError

from shared.domain.identity import Caller
from shared.domain.policy import CommandPolicy, Policy, PolicyState
from shared.domain.targets import Target
from shared.errors import Unavailable
from shared.structured import get_logger
from shared.terminal.policy import policy_file

if TYPE_CHECKING:
    from sqlmodel import Session as Transaction

    from shared.storage.database import Database
    from shared.terminal.policy.rules import Place
    from shared.terminal.session import Session

log = get_logger(__name__)

FACT = "command_policy"
VERSION = "command_policy_version"
NOTHING = CommandPolicy()
DENY_ALL = CommandPolicy(policies=[Policy(name="a policy of another version of the gateway", default="deny")])
"""In force while the stored policy cannot be read."""


class Whereabouts:
    """What policies ask of a session: its target, and the saved connection it came from."""

    __slots__ = ("connection", "target")

    def __init__(self, target: Target | None, connection: str | None = None) -> None:
        self.target = target
        self.connection = connection


class LivePolicy:
    """`current` is replaced as a whole. What was put at run time goes before the file, and reaches other processes.

    `wanted` says that a file that is missing is a mistake. Nothing is parsed and nothing imported while no policy is
    there.
    """

    def __init__(self, database: "Database", file: Path | None = None, *, wanted: bool = False) -> None:
        self.current = NOTHING
        self._database = database
        self._file = file
        self._wanted = wanted
        self._from_file: CommandPolicy | None = None
        self._stamp: tuple[int, int] | None = None
        self._stored: CommandPolicy | None = None
        self._version = -1
        self._lock = asyncio.Lock()
        self._whereabouts: WeakKeyDictionary[Session, Whereabouts] = WeakKeyDictionary()

    @property
    def state(self) -> PolicyState:
        """What is in force, and where it comes from."""
        source = "stored" if self._stored is not None else "none" if self._from_file is None else "file"
        return PolicyState.model_validate({"policy": self.current, "source": source, "version": max(self._version, 0)})

    @property
    def folders(self) -> frozenset[Path]:
        """Where the file is, and where it leads if it is a link: what replaces it is written there."""
        return frozenset() if self._file is None else frozenset({self._file.parent, self._file.resolve().parent})

    async def load(self) -> None:
        """Read everything for the first time. Raises Unavailable for a file that cannot be used."""
        await anyio.to_thread.run_sync(self._read_file)
        await self._refresh_stored()

    async def refresh(self) -> None:
        """Take over what is stored and what has changed in the file."""
        await self.refresh_file()
        await self._refresh_stored()

    async def refresh_file(self) -> None:
        """Take over what has changed in the file; one with mistakes leaves the one before in force."""
        if not self._file_has_changed():
            return
        try:
            await anyio.to_thread.run_sync(self._read_file)
        except Unavailable as error:
            log.error("the command policy stays as it was", reason=error.message)

    async def put(self, policy: CommandPolicy | None) -> PolicyState:
        """Put a policy into force; None returns to the file's."""
        from shared.storage import facts

        def work(session: "Transaction") -> int:
            version = facts.next_version(session, VERSION)
            facts.write(session, FACT, None if policy is None else policy.model_dump(mode="json"))
            return version

        async with self._lock:
            self._take(await self._database.run(work), policy)
            self._database.unreadable.forget("policy", FACT)
        return self.state

    def applying(self, caller: Caller, place: "Place") -> tuple[Policy, ...]:
        """The policies for this caller in this place."""
        if not self.current.policies:
            return ()
        from shared.terminal.policy import rules

        return rules.applying(self.current, caller, place)

    @property
    def active(self) -> bool:
        """Whether there is any policy at all."""
        return bool(self.current.policies)

    def remember(self, session: "Session", target: Target, connection: str | None) -> None:
        """Note where a session leads, for policies that ask."""
        self._whereabouts[session] = Whereabouts(target, connection)

    def whereabouts(self, session: "Session") -> Whereabouts:
        """Where a session leads."""
        return self._whereabouts.get(session) or Whereabouts(None)

    async def _refresh_stored(self) -> None:
        version, stored = await self._database.read(_load)
        if version > self._version:  # a change may have come between, and is newer then
            self._take(version, self._readable(stored))

    def _readable(self, stored: Any) -> CommandPolicy | None:
        """The stored policy; one that this version cannot read in full denies everything, since a part of it may allow
        more than the whole.
        """
        try:
            policy = None if stored is None else CommandPolicy.model_validate(stored)
        except ValidationError as error:
            self._database.unreadable.note("policy", FACT, error)
            return DENY_ALL
        self._database.unreadable.forget("policy", FACT)
        return policy

    def _take(self, version: int, stored: CommandPolicy | None) -> None:
        self._version, self._stored = version, stored
        self._choose()

    def _choose(self) -> None:
        self.current = self._stored if self._stored is not None else self._from_file or NOTHING

    def _file_has_changed(self) -> bool:
        if self._file is None:
            return False
        try:
            return _stamp_of(self._file) != self._stamp
        except FileNotFoundError:
            return self._stamp is not None
        except OSError:
            return True  # reading it says why

    def _read_file(self) -> None:
        if self._file is None:
            return
        try:
            stamp = _stamp_of(self._file)
            if stamp == self._stamp:
                return
            self._stamp = stamp  # whatever comes of it: a mistake is told once
            self._from_file = policy_file.load(self._file)
        except FileNotFoundError:
            if self._wanted and self._stamp is None:
                raise Unavailable(
                    f"There is no command policy at {self._file}; correct TERMINAL_POLICY_FILE.", code="wrong_policy"
                ) from None
            if self._wanted:
                return  # a policy that was named does not end because its file is being replaced
            self._stamp, self._from_file = None, None
        except OSError as error:
            raise Unavailable(
                f"The command policy {self._file} cannot be read: {error.strerror}.", code="wrong_policy"
            ) from None
        self._choose()


def _stamp_of(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size


def _load(session: "Transaction") -> tuple[int, Any]:
    from shared.storage import facts

    return int(facts.read(session, VERSION, 0)), facts.read(session, FACT, None)
