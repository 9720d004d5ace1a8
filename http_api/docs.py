"""The description of the API and a page of our own that shows it; the page loads nothing from another host."""

from collections.abc import Callable
from importlib import resources
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Route
from http_api.responses import NO_STORE, PAGE_POLICY, send_bytes, send_json

FILES: tuple[tuple[str, str, bytes], ...] = (
    ("/docs", "docs.html", b"text/html; charset=utf-8"),
    ("/docs/docs.js", "docs.js", b"text/javascript; charset=utf-8"),
    ("/docs/docs.css", "docs.css", b"text/css; charset=utf-8"),
)


def routes(describe: Callable[[], dict[str, Any]]) -> list[Route]:
    """`/openapi.json`, written when somebody first asks for it, and `/docs`."""
    pages = [Route(path=path, methods={"GET": _file(name, media)}) for path, name, media in FILES]
    return [Route(path="/openapi.json", methods={"GET": _description(describe)}), *pages]


def _description(describe: Callable[[], dict[str, Any]]) -> ASGIApp:
    written: list[bytes] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if not written:
            written.append(orjson.dumps(describe()))
        await send_json(scope, send, written[0])

    return application


def _file(name: str, media: bytes) -> ASGIApp:
    read: list[bytes] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if not read:
            read.append((resources.files("http_api") / "static" / name).read_bytes())
        await send_bytes(scope, send, read[0], media=media, headers=[NO_STORE, PAGE_POLICY])

    return application
