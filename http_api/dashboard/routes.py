"""The dashboard at `/dashboard/`: the files that Vite builds from `frontend/`, and its page for every address of a view.

They are open to everybody, since they hold no data; the page logs in like any other client of the REST API.
"""

import hashlib
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Route, exchange_of
from http_api.errors import Header, HttpError
from http_api.responses import PAGE_POLICY, send_bytes

PATH = "/dashboard"
DIST = Path(__file__).parent / "dist"
PAGE = "index.html"
ASSETS = "assets"
MEDIA = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".md": b"text/plain; charset=utf-8",
}
POLICY: Header = (
    PAGE_POLICY[0],
    PAGE_POLICY[1].replace(b"img-src 'self'", b"img-src 'self' data: blob:")
    + b"; require-trusted-types-for 'script'; trusted-types 'none'",
)
"""As for the other pages, but images of a chat may be shown from memory. Nothing turns text into markup."""
REVALIDATE: Header = (b"cache-control", b"no-cache")
KEEP: Header = (b"cache-control", b"public, max-age=31536000, immutable")
"""For files that have a digest of their content in their name."""
MISSING = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>AI MCP Gateway</title></head>
<body><h1>The dashboard is not built</h1>
<p>Run <code>make dashboard</code> in the checkout, then start the gateway again. It needs a package registry once.</p>
<p>Everything else works: <a href="/docs">the REST API</a>, MCP, and the command line.</p></body></html>
"""


ROOT = b'{"dashboard":"/dashboard/","docs":"/docs","api":"/openapi.json","health":"/health"}'
"""The answer of `/` for clients that follow no redirect."""


def routes() -> list[Route]:
    """The page, each file of the build, the page again for all addresses of its views, and the way there from `/`."""
    folder = DIST
    start = _open("/", _to_the_page)
    page = folder / PAGE
    if not page.is_file():
        shown = _page(MISSING)
        return [start, _open(PATH, shown), _open(f"{PATH}/{{view:path}}", shown)]
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in MEDIA and path != page)
    shown = _page(page.read_bytes())
    return [
        start,
        _open(PATH, shown),
        *(_open(f"{PATH}/{path.relative_to(folder).as_posix()}", _file(path)) for path in files),
        _open(f"{PATH}/{{view:path}}", shown),
    ]


def _open(path: str, application: ASGIApp) -> Route:
    """A route for everyone, since the files hold no data."""
    return Route(path=path, methods={"GET": application}, public=True, limited=False)


async def _to_the_page(scope: Scope, receive: Receive, send: Send) -> None:
    await send_bytes(scope, send, ROOT, status=307, headers=[REVALIDATE, (b"location", f"{PATH}/".encode())])


def _page(body: bytes) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        view = exchange_of(scope).params.get("view", "")
        if view.split("/")[0] == ASSETS:
            raise HttpError(404, "not_found", "This file of the dashboard does not exist. Load the page again.")
        await send_bytes(scope, send, body, media=MEDIA[".html"], headers=[REVALIDATE, POLICY])

    return application


def _file(path: Path) -> ASGIApp:
    read: list[tuple[bytes, bytes]] = []
    keep = KEEP if path.parent.name == ASSETS else REVALIDATE

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if not read:
            read.append(_tagged(path))
        body, tag = read[0]
        headers = [keep, POLICY, (b"etag", tag)]
        if _has(exchange_of(scope).headers.get(b"if-none-match", b""), tag):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await send_bytes(scope, send, body, media=MEDIA[path.suffix], headers=headers)

    return application


def _has(given: bytes, tag: bytes) -> bool:
    """Whether a client's copies include this one (RFC 9110, section 13.1.2: by weak comparison)."""
    copies = [copy.strip().removeprefix(b"W/") for copy in given.split(b",")]
    return tag in copies or copies == [b"*"]


def _tagged(path: Path) -> tuple[bytes, bytes]:
    """A file's content and its ETag."""
    body = path.read_bytes()
    return body, b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode("ascii")
