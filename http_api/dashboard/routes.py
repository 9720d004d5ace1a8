"""The dashboard's files at `/dashboard/`, from a literal table: what is not in it does not exist.

They are open to everybody, since they hold no data; the page logs in like any other client of the REST API.
"""

import hashlib
from importlib import resources

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Route, exchange_of
from http_api.errors import Header
from http_api.responses import PAGE_POLICY, send_bytes

PATH = "/dashboard"
PAGE = "index.html"

HTML, CSS, SCRIPT, SVG = (
    b"text/html; charset=utf-8",
    b"text/css; charset=utf-8",
    b"text/javascript; charset=utf-8",
    b"image/svg+xml",
)

FILES: tuple[tuple[str, bytes], ...] = (
    ("index.html", HTML),
    ("icon.svg", SVG),
    ("base.css", CSS),
    ("parts.css", CSS),
    ("terminal.css", CSS),
    ("views.css", CSS),
    ("aliases-card.js", SCRIPT),
    ("api.js", SCRIPT),
    ("chart.js", SCRIPT),
    ("chat-parts.js", SCRIPT),
    ("decision-box.js", SCRIPT),
    ("details.js", SCRIPT),
    ("dom.js", SCRIPT),
    ("events.js", SCRIPT),
    ("format.js", SCRIPT),
    ("forms.js", SCRIPT),
    ("limits.js", SCRIPT),
    ("main.js", SCRIPT),
    ("model-forms.js", SCRIPT),
    ("names.js", SCRIPT),
    ("parts.js", SCRIPT),
    ("places.js", SCRIPT),
    ("policy-card.js", SCRIPT),
    ("polling.js", SCRIPT),
    ("readiness.js", SCRIPT),
    ("shell.js", SCRIPT),
    ("terminal-forms.js", SCRIPT),
    ("login-codes.js", SCRIPT),
    ("terminal-live.js", SCRIPT),
    ("theme.js", SCRIPT),
    ("unanswered.js", SCRIPT),
    ("view-approvals.js", SCRIPT),
    ("view-audit.js", SCRIPT),
    ("view-budgets.js", SCRIPT),
    ("view-chat.js", SCRIPT),
    ("view-keys.js", SCRIPT),
    ("view-login.js", SCRIPT),
    ("view-models.js", SCRIPT),
    ("view-overview.js", SCRIPT),
    ("view-providers.js", SCRIPT),
    ("view-settings.js", SCRIPT),
    ("view-terminals.js", SCRIPT),
    ("view-usage.js", SCRIPT),
    ("vt-cells.js", SCRIPT),
    ("vt-keys.js", SCRIPT),
    ("vt-parser.js", SCRIPT),
    ("vt-screen.js", SCRIPT),
    ("vt-view.js", SCRIPT),
)

POLICY: Header = (PAGE_POLICY[0], PAGE_POLICY[1] + b"; require-trusted-types-for 'script'; trusted-types 'none'")
"""Browsers that know trusted types refuse to turn any text into markup here."""
REVALIDATE: Header = (b"cache-control", b"no-cache")
"""Kept, but asked about each time: after an update nobody mixes old files with new ones."""


ROOT = b'{"dashboard":"/dashboard/","docs":"/docs","api":"/openapi.json","health":"/health"}'
"""What whoever asks for `/` and follows no redirect is told."""


def routes() -> list[Route]:
    """The page at `/dashboard` and `/dashboard/`, each of its files beside it, and the way there from `/`."""
    paths = [(f"{PATH}/{name}", name, media) for name, media in FILES if name != PAGE]
    return [
        Route(path="/", methods={"GET": _to_the_page}, public=True, limited=False),
        *(
            Route(path=path, methods={"GET": _file(name, media)}, public=True, limited=False)
            for path, name, media in [(PATH, PAGE, HTML), *paths]
        ),
    ]


async def _to_the_page(scope: Scope, receive: Receive, send: Send) -> None:
    await send_bytes(scope, send, ROOT, status=307, headers=[REVALIDATE, (b"location", f"{PATH}/".encode())])


def _file(name: str, media: bytes) -> ASGIApp:
    read: list[tuple[bytes, bytes]] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if not read:
            body = (resources.files("http_api.dashboard") / "static" / name).read_bytes()
            read.append((body, b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode("ascii")))
        body, tag = read[0]
        headers = [REVALIDATE, POLICY, (b"etag", tag)]
        if _has(exchange_of(scope).headers.get(b"if-none-match", b""), tag):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await send_bytes(scope, send, body, media=media, headers=headers)

    return application


def _has(given: bytes, tag: bytes) -> bool:
    """Whether a client's copies include this one (RFC 9110, section 13.1.2: by weak comparison)."""
    copies = [copy.strip().removeprefix(b"W/") for copy in given.split(b",")]
    return tag in copies or copies == [b"*"]
