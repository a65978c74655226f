"""The frame of the developers' pages: self-contained HTML, Vietnamese first, no script but the gateway's own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from typing import Final

from schemas.errors import Text

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}h1{font-size:1.5rem}h2{font-size:1.25rem;border-top:1px solid #999;padding-top:1rem}"
    "h3{font-size:1.05rem}code,pre{background:#f2f2f2}code{padding:0 .2em}"
    "pre{padding:.6rem;overflow-x:auto;font-size:.85rem;line-height:1.4}summary{cursor:pointer;padding:.2rem 0}"
    "table{border-collapse:collapse;font-size:.9rem;display:block;overflow-x:auto}"
    "td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top;border-bottom:1px solid #ddd}"
    "a{color:#00417e}[lang=en]{color:#555}button{float:right;font:inherit;font-size:.8rem}"
    ":focus-visible{outline:3px solid #00417e;outline-offset:2px}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "public, max-age=300",
    "Content-Security-Policy": f"default-src 'none'; script-src 'self'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def page(title: str, body: str, *, root: str) -> bytes:
    """Return a page; `root` leads from it to `/docs/`."""
    return (
        f'<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f'<body><main>{body}</main><script src="{root}copy.js"></script></body></html>\n'
    ).encode()


def both(text: Text) -> str:
    """Return a text in both languages, once where it is the same."""
    if text.vi == text.en:
        return escape(text.vi)
    return f'{escape(text.vi)} <span lang="en">· {escape(text.en)}</span>'


def paragraph(vi: str, en: str) -> str:
    """Return a paragraph in each language; the texts are HTML."""
    return f'<p>{vi}</p><p lang="en">{en}</p>'


def code(text: str) -> str:
    """Return a short text of a program."""
    return f"<code>{escape(text)}</code>"


def block(text: str, name: str = "") -> str:
    """Return a text to copy, that the keyboard can reach and scroll."""
    named = f' id="{name}"' if name else ""
    return f'<pre{named} tabindex="0">{escape(text)}</pre>'


def folded(summary: str, inside: str) -> str:
    """Return what opens on request; `summary` is HTML."""
    return f"<details><summary>{summary}</summary>{inside}</details>"


def table(heads: tuple[Text, ...], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; the cells are HTML."""
    head = "".join(f'<th scope="col">{both(each)}</th>' for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def link(address: str, text: str) -> str:
    """Return a link; `text` is HTML."""
    return f'<a href="{escape(address)}">{text}</a>'
