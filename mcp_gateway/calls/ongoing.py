"""Chats under way: each may outlive the call that began it, and is waited for by one call after the other."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mcp_gateway.calls.reply import Reply
from mcp_gateway.progress import Progress
from shared.errors import Conflict, GatewayError, NotFound, RateLimited

if TYPE_CHECKING:
    from mcp_gateway.calls.offer import Offer
    from shared.routing.answers import Route

MOST_OF_CALLER = 16
LEFT_ALONE_SECONDS = 300.0
"""After so long without a call that waits for it, a chat is ended and forgotten."""


class Ongoing:
    """One chat: what it has said, how far it was told, and the task that reads its stream.

    `payload` is the request, `offer` what was taken up with it. `route` is None until a model has begun to answer.
    """

    def __init__(
        self, chat_id: str, payload: dict[str, Any], offer: "Offer | None", forget: Callable[[], None]
    ) -> None:
        self.id = chat_id
        self.payload = payload
        self.offer = offer
        self.reply = Reply()
        self.route: Route | None = None
        self.started = time.perf_counter()
        self.seconds = 0.0
        self._told = self._told_size = 0
        self._in_use = self._dropped = False
        self._changed = asyncio.Event()
        self._progress: Progress | None = None
        self._forget = forget
        self._alone: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, read: "Callable[[Ongoing], Awaitable[None]]") -> None:
        """Let `read` fill in the reply; its failure is that of the chat."""
        self._task = asyncio.create_task(self._run(read))
        self._task.add_done_callback(self._ended)

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._task is not None and self._task.done()

    @property
    def untold(self) -> str:
        """What no call has told yet."""
        return self.reply.text[self._told :]

    @property
    def failure(self) -> GatewayError | None:
        """Why it failed. Raises what no caller is to see."""
        if not self.over or self._task is None or self._task.cancelled():
            return None
        error = self._task.exception()
        if error is None or isinstance(error, GatewayError):
            return error
        raise error

    def news(self) -> None:
        """There is more of it."""
        self._changed.set()
        if self._progress is not None:
            self._progress.news()

    @contextmanager
    def followed(self, progress: Progress) -> Iterator[None]:
        """Tell the progress of a call how it grows, while the block waits for it. Raises Conflict while another does."""
        if self._in_use:
            raise Conflict("Another call waits for this chat already.", code="chat_in_use")
        self._in_use = True
        if self._alone is not None:
            self._alone.cancel()
        self._progress = progress
        progress.follow(self._as_told)
        try:
            yield
        finally:
            self._in_use = False
            self._progress = None
            if not self._dropped:
                self._alone = asyncio.get_running_loop().call_later(LEFT_ALONE_SECONDS, self.drop)

    async def until(self, size: int) -> None:
        """Wait until it is over, or so many bytes are untold."""
        while not self.over and self.reply.size - self._told_size <= size:
            self._changed.clear()
            await self._changed.wait()

    def take(self, size: int) -> str:
        """The next part, at most so many bytes, which counts as told."""
        part = bounded(self.untold, size)
        self._told += len(part)
        self._told_size += len(part.encode("utf-8", "surrogatepass"))
        return part

    def drop(self) -> None:
        """End it, and know nothing more of it."""
        self._dropped = True
        if self._alone is not None:
            self._alone.cancel()
        self._forget()
        if self._task is not None:
            self._task.cancel()

    async def end(self) -> None:
        """The same; its upstream connection is closed when this returns."""
        self.drop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, read: "Callable[[Ongoing], Awaitable[None]]") -> None:
        try:
            await read(self)
        finally:
            self.seconds = time.perf_counter() - self.started

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # marks it as seen: there may be no call to tell
        self.news()

    def _as_told(self) -> str:
        if self.route is None:
            return "looking for a model …"
        return self.untold or f"{self.route.model.api_model_name} is thinking …"


def bounded(text: str, size: int) -> str:
    """The beginning of a text, at most so many bytes."""
    return text if len(text) * 4 <= size else text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


class OngoingChats:
    """All chats of one server, by caller and id. `node` is the process's, where a gateway has several."""

    def __init__(self, node: str = "") -> None:
        self._prefix = f"chat-{node}-" if node else "chat-"
        self._chats: dict[tuple[str, str], Ongoing] = {}

    def begin(
        self,
        caller: str,
        payload: dict[str, Any],
        read: Callable[[Ongoing], Awaitable[None]],
        offer: "Offer | None" = None,
    ) -> Ongoing:
        """Begin one. Raises RateLimited when the caller has too many."""
        if sum(owner == caller for owner, _ in self._chats) >= MOST_OF_CALLER:
            raise RateLimited(f"{MOST_OF_CALLER} chats are under way, or have more to tell.", code="too_many_chats")
        key = (caller, f"{self._prefix}{secrets.token_hex(8)}")
        chat = self._chats[key] = Ongoing(key[1], payload, offer, lambda: self._forget(key))
        chat.begin(read)
        return chat

    def find(self, caller: str, chat_id: str) -> Ongoing:
        """One of this caller. Raises NotFound, also for those of others."""
        if (chat := self._chats.get((caller, chat_id))) is None:
            raise NotFound(
                "There is no such chat; it was told to its end, or nobody has waited for it for long. Ask anew.",
                code="chat_not_found",
            )
        return chat

    def end_of(self, gone: Callable[[str], bool]) -> None:
        """End those of callers who are gone."""
        for chat in [found for (owner, _), found in self._chats.items() if gone(owner)]:
            chat.drop()

    async def aclose(self) -> None:
        """End them all."""
        await asyncio.gather(*(chat.end() for chat in tuple(self._chats.values())))

    def _forget(self, key: tuple[str, str]) -> None:
        self._chats.pop(key, None)
