"""The bridge itself: each message of the host becomes an HTTP request, and all that comes back becomes lines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from mcp_gateway.bridge.messages import Message, answer_in, failure, is_answer, key_of, modern_headers, parse
from mcp_gateway.bridge.refusals import BROKE_OFF, away, refusal
from mcp_gateway.bridge.session import GONE, INITIALIZE, Session
from mcp_gateway.bridge.upstream import Away, Lost, Response, Upstream

log = logging.getLogger(__name__)

LONGEST_WAIT = 10.0
"""Seconds between looks for a gateway that has gone, when nobody asks for it."""
NOT_OFFERED = 405
TOO_MANY = 429
CANCELLED = "notifications/cancelled"
INITIALIZED = "notifications/initialized"


class Call:
    """A request under way."""

    __slots__ = ("cancelled", "message", "reached", "task")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.cancelled = False
        self.reached = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Bridge:
    """One host on one gateway. `write` takes each message for the host."""

    def __init__(self, upstream: Upstream, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._upstream = upstream
        self._write = write
        self._session = Session(upstream)
        self._renewing = asyncio.Lock()
        self._calls: dict[bytes, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening = False
        self._reopened = asyncio.Event()
        self._opening: asyncio.Task[None] | None = None

    async def take(self, line: bytes) -> None:
        """Pass on one line of the host. Requests are answered later, each in a task of its own.

        What comes after `initialize` waits for its answer, which says what session it belongs to.
        """
        message = parse(line)
        if message is None:
            log.warning("a line that is no message was left out")
            return
        if self._opening is not None and message.version is None and message.method != CANCELLED:
            await asyncio.wait({self._opening})
            self._opening = None
        if message.is_request:
            call = Call(message)
            self._calls[key_of(message.id)] = call
            call.task = self._spawn(self._answer(call))
            if message.method == INITIALIZE:
                self._opening = call.task
        elif message.method == CANCELLED:
            self._cancel(message)
        elif message.method == INITIALIZED:
            await self._tell(message)  # what comes after it counts on it
        else:
            self._spawn(self._tell(message))  # a gateway that hangs holds up nothing else

    async def aclose(self) -> None:
        """End the session at the gateway, and with it whatever runs there for this host, which hears no more of it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.end()
        await self._upstream.aclose()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _cancel(self, message: Message) -> None:
        call = self._calls.get(key_of(message.params.get("requestId")))
        if call is None:
            return
        call.cancelled = True
        if call.message.version is not None and call.task is not None:
            call.task.cancel()  # in the modern era, closing the connection is how a request is cancelled
        else:
            self._spawn(self._tell_after(call, message))

    async def _tell_after(self, call: Call, message: Message) -> None:
        """Cancel what the gateway has by now; earlier it would not know what is meant."""
        await call.reached.wait()
        await self._tell(message)

    async def _tell(self, message: Message) -> None:
        """Pass on a notification, or an answer to a question of the server."""
        if not self._session.version:
            return  # the modern era has no such messages over HTTP
        try:
            async with self._upstream.post(message.line, self._session.headers) as response:
                if response.status == TOO_MANY:
                    self._spawn(self._tell_later(message, response))
                    return
                if response.status >= 400:
                    log.warning("the gateway did not take %s (%s)", message.method or "an answer", response.status)
                    return
        except (Away, Lost) as error:
            log.warning("the gateway did not get %s: %s", message.method or "an answer", error)
            return
        if message.method == INITIALIZED and not self._listening:
            self._listening = True
            self._spawn(self._listen())

    async def _tell_later(self, message: Message, refused: Response) -> None:
        """A lost cancellation would leave work running, a lost answer a question open: neither is given up."""
        wait = refused.headers.get("retry-after", "")
        await asyncio.sleep(float(wait) if wait.isdigit() else 1)
        await self._tell(message)

    async def _answer(self, call: Call) -> None:
        try:
            answer = await self._exchanged(call)
        except Away as error:
            answer = failure(call.message.id, away(self._upstream, str(error)))
        except Lost:
            answer = failure(call.message.id, BROKE_OFF.format(base=self._upstream.base))
        except Exception as error:  # the host waits for an answer, whatever happens
            log.exception("the bridge failed")
            answer = failure(
                call.message.id, f"The bridge to the gateway failed ({type(error).__name__}); restart the server."
            )
        finally:
            call.reached.set()
            if self._calls.get(key := key_of(call.message.id)) is call:
                del self._calls[key]
        if answer is not None and not call.cancelled:
            await self._write(answer)

    async def _exchanged(self, call: Call) -> bytes | None:
        """The answer to a request; what comes before it has been passed on. Raises Away and Lost."""
        message = call.message
        session = self._session.id
        async with self._upstream.post(message.line, self._headers(message)) as response:
            call.reached.set()
            if not (response.status == GONE and session and message.version is None):
                return await self._relayed(call, response)
        if not await self._renewed(session):
            return failure(message.id, "The gateway has forgotten this session and opens no other. Restart the server.")
        async with self._upstream.post(message.line, self._headers(message)) as response:
            return await self._relayed(call, response)

    def _headers(self, message: Message) -> dict[str, str]:
        version = message.version
        return self._session.headers if version is None else modern_headers(message, version)

    async def _relayed(self, call: Call, response: Response) -> bytes | None:
        message = call.message
        if not response.is_stream:
            content = await response.content()
            answer = answer_in(content, message.id)
            self._session.answered(message, response, content)
            return answer or failure(message.id, refusal(self._upstream, response.status, response.headers, content))
        async for data, content in response.messages():
            if not is_answer(content):
                await self._write(data)
                continue
            self._session.answered(message, response, content)
            return data
        raise Lost("the stream ended without an answer")

    async def _renewed(self, old: str) -> bool:
        """Open the session anew, unless another request has done so already."""
        async with self._renewing:
            if self._session.id != old:
                return True
            if not await self._session.renew():
                return False
        log.warning("the gateway at %s has started anew; the session was opened again", self._upstream.base)
        self._reopened.set()
        for notice in self._session.notices:
            await self._write(notice)
        return True

    async def _listen(self) -> None:
        """Pass on what the server says by itself, for as long as there is a session."""
        wait, missed = 0.0, False
        while self._session.id:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._reopened.wait(), wait)
            self._reopened.clear()
            wait = min(wait * 2 or 0.5, LONGEST_WAIT)
            session = self._session.id
            with suppress(Away, Lost):
                async with self._upstream.listen(self._session.headers) as response:
                    if response.status == NOT_OFFERED:
                        return
                    if response.is_stream:
                        for notice in self._session.missed if missed else ():
                            await self._write(notice)
                        missed = True
                        async for data, _ in response.messages():
                            wait = 0.0
                            await self._write(data)
                        continue
                    gone = response.status == GONE
                if gone and await self._renewed(session):
                    wait = 0.0
