"""A channel whose session is recorded."""

import asyncio
from collections.abc import Callable

from shared.domain.signals import SignalName
from shared.domain.terminal import CommandResult
from shared.terminal.channel import Channel, Command, Inherited, Seat
from shared.terminal.recording import Recorder

LONGEST_COMMAND = 2000


class RecordedChannel:
    """Hands everything on to a channel, and tells the recorder of it. What is shown comes from the scrollback."""

    def __init__(self, channel: Channel, seat: Seat, recorder: Recorder, *, ended: Callable[[], object]) -> None:
        self.channel = channel
        self._seat = seat
        self._recorder = recorder
        self._ended = ended
        recorder.output(seat.scrollback.read(0).text)
        seat.scrollback.listener = recorder.output

    @property
    def connected(self) -> bool:
        """Whether the target can still be used."""
        return self.channel.connected

    @property
    def recording(self) -> bool:
        """Whether it is still recorded; not once the recording is full, deleted or cannot be written."""
        return self._recorder.active

    @property
    def inherited(self) -> Inherited:
        """What the next command takes over from those before it."""
        return self.channel.inherited

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        """Run a command; it becomes a marker with its exit code."""
        said = command.text[:LONGEST_COMMAND]
        self._recorder.marked(f"$ {said}")
        result = await self.channel.execute(command, stop)
        ended = "timed out" if result.timed_out else f"exit code {result.exit_code}"
        self._recorder.marked(f"{ended}: $ {said}")
        return result

    async def start(self) -> None:
        """Start the interactive shell."""
        await self.channel.start()

    def send(self, data: bytes) -> None:
        """Type into the interactive shell."""
        typed = data.decode(self._seat.scrollback.encoding, "replace")
        self._recorder.typed(typed, hidden=self._seat.hides_input())
        self.channel.send(data)

    async def signal(self, name: SignalName) -> None:
        """Send a signal to the job in front; it becomes a marker."""
        await self.channel.signal(name)
        self._recorder.marked(f"signal {name}")

    async def runs_jobs(self) -> bool:
        """Whether something runs here but a shell that waits."""
        return await self.channel.runs_jobs()

    def resize(self) -> None:
        """Tell the interactive shell the size that the seat has now."""
        self.channel.resize()
        self._recorder.resized(self._seat.cols, self._seat.rows)

    async def aclose(self) -> None:
        """End everything that was started here, then the recording."""
        try:
            await self.channel.aclose()
        finally:
            await self._recorder.aclose()
            self._ended()


def unrecorded(channel: Channel) -> Channel:
    """The channel itself, where it is recorded."""
    return channel.channel if isinstance(channel, RecordedChannel) else channel
