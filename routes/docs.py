"""`GET /docs`: the OpenAPI document to read and to try, without internet (trang tài liệu).

Swagger UI is vendored (`static/swagger-ui`, Apache-2.0; `static/README.md` says where it comes from). The policy lets
the page load from this gateway alone.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from aiohttp import web

_STATIC: Final = Path(str(resources.files("routes").joinpath("static")))
_FILES: Final = {
    "docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "copy.js": ("copy.js", "text/javascript; charset=utf-8"),
    "swagger-ui.css": ("swagger-ui/swagger-ui.css", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    "favicon-32x32.png": ("swagger-ui/favicon-32x32.png", "image/png"),
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = """\
<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tài liệu API · LGSP Gateway</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" sizes="32x32" href="docs/favicon-32x32.png">
</head>
<body>
<p><a href="docs/soap">SOAP, mẫu gọi bằng curl, Python, Java, C#, PHP, tệp Postman và SoapUI</a>
<span lang="en">SOAP, snippets in five languages, files for Postman and SoapUI</span></p>
<div id="docs"></div>
<noscript>Trang này cần JavaScript; tài liệu: <a href="openapi.json">openapi.json</a>.
<span lang="en">This page needs JavaScript; the document is openapi.json.</span></noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/docs.js"></script>
</body>
</html>
""".encode()


def add_docs(router: web.UrlDispatcher) -> None:
    """Add the page and the files that it loads."""

    async def page(_request: web.Request) -> web.Response:
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": _POLICY,
            "Cache-Control": "public, max-age=300",
        }
        return web.Response(body=_PAGE, headers=headers)

    router.add_get("/docs", page)
    for name, (file, kind) in _FILES.items():
        _add_file(router, f"/docs/{name}", _STATIC / file, kind)


def _add_file(router: web.UrlDispatcher, path: str, file: Path, kind: str) -> None:
    async def send(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(file, headers={"Content-Type": kind, "Cache-Control": "public, max-age=3600"})

    router.add_get(path, send)
