"""Commands without a session: each on an executor of its own, of which nothing is left afterwards."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.domain.targets import LocalTarget, SshTarget, Target
from shared.domain.terminal import CommandResult
from shared.errors import Overloaded, TerminalError
from shared.terminal.channel import Command, Executor, LocalOpener, SshOpener
from shared.terminal.jobs import unless_cancelled
from shared.terminal.kept_outputs import KeptOutputs
from shared.terminal.slots import Slots
from shared.terminal.telnet import no_commands


@dataclass(eq=False, slots=True)
class Exec:
    """One command that runs. Setting `stop` ends it."""

    owner: str
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    shutting_down: bool = False

    def check(self) -> None:
        """Raises Overloaded or TerminalError once it was stopped."""
        if self.shutting_down:
            raise shutting_down()
        if self.stop.is_set():
            raise TerminalError("The command was ended, since its caller may run none any more.", code="session_closed")


class Execs:
    """Runs commands without a session, within the limits of `slots`."""

    def __init__(self, slots: Slots, *, local: LocalOpener, ssh: SshOpener, outputs: KeptOutputs) -> None:
        self._slots = slots
        self._local = local
        self._ssh = ssh
        self._outputs = outputs
        self._running: dict[asyncio.Task[CommandResult], Exec] = {}
        self._closed = False

    def __len__(self) -> int:
        """How many commands run."""
        return len(self._running)

    async def run(self, owner: str, target: Target, command: Command) -> CommandResult:
        """Run a command to its end; no process of it is left then. Cancelling it ends it.

        Raises RateLimited, TerminalError, HostKeyChanged, InvalidInput, Forbidden, Unsupported, Conflict, Overloaded.
        """
        if self._closed:
            raise shutting_down()
        self._slots.take(owner, "too_many_commands", "commands are running; wait for one to end and try again")
        running = Exec(owner)
        work = asyncio.get_running_loop().create_task(self._to_the_end(running, target, command))
        self._running[work] = running
        work.add_done_callback(self._done)
        return await unless_cancelled(work, running.stop)

    def stop(self) -> None:
        """Begin to end all of them, and take in nothing more."""
        self._closed = True
        for running in self._running.values():
            running.shutting_down = True
            running.stop.set()

    async def ended(self) -> None:
        """Wait until nothing runs any more."""
        if self._running:
            await asyncio.wait(self._running)

    def end_of(self, gone: Callable[[str], bool]) -> None:
        """Begin to end those whose owner is gone."""
        for running in self._running.values():
            if gone(running.owner):
                running.stop.set()

    def _done(self, work: asyncio.Task[CommandResult]) -> None:
        self._slots.give_back(self._running.pop(work).owner)

    async def _to_the_end(self, running: Exec, target: Target, command: Command) -> CommandResult:
        executor = await self._opened(running, target)
        try:
            running.check()
            if command.permit is not None:
                await command.permit()
                running.check()
            result = await self._outputs.keeping(running.owner, command, executor.execute, running.stop)
        except TerminalError:
            running.check()
            raise
        finally:
            await executor.aclose()
        running.check()
        return result

    async def _opened(self, running: Exec, target: Target) -> Executor:
        """The executor; connecting is given up when the command is stopped."""
        opening = asyncio.ensure_future(self._executor(running.owner, target))
        stopped = asyncio.ensure_future(running.stop.wait())
        await asyncio.wait({opening, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not opening.done():
            opening.cancel()
            await asyncio.wait({opening})
            if opening.cancelled():
                running.check()
        return opening.result()

    async def _executor(self, owner: str, target: Target) -> Executor:
        if isinstance(target, LocalTarget):
            return await self._local.executor(target, owner=owner)
        if isinstance(target, SshTarget):
            return await self._ssh.executor(target, owner=owner)
        raise no_commands()


def shutting_down() -> Overloaded:
    """The refusal of a gateway that ends."""
    return Overloaded("The gateway is shutting down; try again in a moment.", code="shutting_down")
