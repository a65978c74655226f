"""`/problems` and `/problems/{code}`: the pages that an error's `type` opens, in both languages, self-contained."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from aiohttp import web

from routes.explanations import EXPLANATIONS, REASONS
from schemas.errors import GatewayError, NotFound, Text, leaves

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem}code{background:#eee;padding:0 .2em}"
    "section{border-top:1px solid #999;margin-top:1.5rem}dt{font-weight:600}a{color:#00417e}"
    "td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "public, max-age=3600",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
}

_BLAME = {
    "client": Text("Bên gọi: yêu cầu phải được sửa.", "The caller: the request has to change."),
    "upstream": Text("Cơ sở dữ liệu nguồn, hoặc đường tới đó.", "The registry, or the way to it."),
    "server": Text("Trục chia sẻ dữ liệu.", "The gateway itself."),
}
_RETRY = {
    True: Text(
        "Có thể gọi lại nguyên văn, sau số giây trong Retry-After nếu có.",
        "The same request may be sent again, after the seconds in Retry-After where it is given.",
    ),
    False: Text("Gọi lại nguyên văn sẽ gặp lại lỗi này.", "The same request would end the same way."),
}
_LABELS = {
    "meaning": Text("Ý nghĩa", "What it means"),
    "blame": Text("Trách nhiệm", "Whose fault"),
    "retry": Text("Gọi lại", "Asking again"),
    "next": Text("Việc cần làm", "What to do next"),
    "reasons": Text("Giá trị của reason", "Values of reason"),
}


def _page(title: str, body: str) -> bytes:
    return (
        f'<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    ).encode()


def _section(error: type[GatewayError], language: int) -> str:
    meaning, following = EXPLANATIONS[error.code]
    facts = [
        (_LABELS["meaning"], meaning),
        (_LABELS["blame"], _BLAME[error.blame]),
        (_LABELS["retry"], _RETRY[error.retryable]),
        (_LABELS["next"], following),
    ]
    rows = "".join(f"<dt>{escape(label[language])}</dt><dd>{escape(text[language])}</dd>" for label, text in facts)
    reasons = "".join(
        f"<tr><td><code>{escape(reason)}</code></td><td>{escape(text[language])}</td></tr>"
        for reason, text in REASONS.get(error.code, {}).items()
    )
    table = f"<h3>{escape(_LABELS['reasons'][language])}</h3><table>{reasons}</table>" if reasons else ""
    title = escape(error.title[language])
    return f'<section lang="{("vi", "en")[language]}"><h2>{title}</h2><dl>{rows}</dl>{table}</section>'


def explain(error: type[GatewayError]) -> bytes:
    """Return the HTML page about one code: meaning, whose fault, whether to ask again, what to do next."""
    heading = f"<h1><code>{error.code}</code> · HTTP {error.status}</h1>"
    back = '<p><a href="../problems">Mọi mã lỗi · All codes</a></p>'
    return _page(f"{error.code} · LGSP", heading + _section(error, 0) + _section(error, 1) + back)


def index() -> bytes:
    """Return the HTML page that lists all codes."""
    rows = "".join(
        f'<tr><td>{error.status}</td><td><a href="problems/{error.code}"><code>{error.code}</code></a></td>'
        f'<td>{escape(error.title.vi)}<br><span lang="en">{escape(error.title.en)}</span></td></tr>'
        for error in sorted(leaves(), key=lambda error: (error.status, error.code))
    )
    heading = '<h1>Mã lỗi của trục chia sẻ dữ liệu · <span lang="en">Error codes of the gateway</span></h1>'
    return _page("Mã lỗi · Error codes", f"{heading}<table>{rows}</table>")


def add_problems(router: web.UrlDispatcher) -> None:
    """Add the index and one page for each code of the error tree."""
    pages = {error.code: explain(error) for error in leaves()}
    listing = index()

    async def show_index(_request: web.Request) -> web.Response:
        return web.Response(body=listing, headers=_HEADERS)

    async def show(request: web.Request) -> web.Response:
        page = pages.get(request.match_info["code"])
        if page is None:
            raise NotFound
        return web.Response(body=page, headers=_HEADERS)

    router.add_get("/problems", show_index)
    router.add_get("/problems/{code}", show)
