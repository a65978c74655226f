"""`/docs/soap/dossiers`: what is pushed and looked up, calls to copy (trang lập trình viên: hồ sơ)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel

from routes.developers.example import Told, indented, told_below
from routes.developers.html import block, both, code, folded, link, page, paragraph, table
from routes.developers.messages import curl_message, php_message, zeep_message
from routes.developers.pages import kind_of, meaning_of, said_beside
from routes.developers.signing import signing
from routes.soap.answers import text
from routes.soap.dossiers_contract import OFFERED, SERVICE, TITLE, Offered, described
from routes.soap.names import camel, namespace
from routes.soap.replies import plain_envelope
from routes.soap.types import ITEM
from routes.soap.wsdl import Version
from schemas.dossiers.messages import AT_ONCE
from schemas.dossiers.models import DossierBody
from schemas.errors import Text
from schemas.fields import shape_of

_CODE: Final = "000.00.00.H26-260105-0001"
_STATUS: Final = {"at": "2026-01-05T10:00:00+07:00", "unit": "Bộ phận Một cửa", "status": "4", "sequence": 1}
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "RegisterDossier": {
        "code": _CODE,
        "key": "hs-0001",
        "dossier": {
            "procedure": "1.005129",
            "channel": "online",
            "ownerName": "Nguyễn Văn An",
            "ownerKind": "citizen",
            "ownerIdentities": [{"number": "001190000001"}],
            "receivedAt": "2026-01-05T08:00:00+07:00",
        },
    },
    "PushStatus": {"code": _CODE, "key": "hs-0001-1", **_STATUS},
    "PushStatuses": {"events": [{"code": _CODE, "key": "hs-0001-1", **_STATUS}]},
    "GetDossier": {"code": _CODE},
    "ListDeliveries": {"state": "waiting", "limit": 10},
}
"""What each example asks, by element; lists are lists."""

Snippet = Callable[[str, str, dict[str, Any]], str]


def _envelope(element: str, asked: dict[str, Any], version: Version) -> str:
    payload = f'<{element} xmlns="{namespace(SERVICE)}">{_written(asked)}</{element}>'
    return indented(plain_envelope(payload.encode(), version))


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_written(member)}</{name}>" for name, member in value.items())
    if isinstance(value, list):
        return "".join(f"<{ITEM}>{_written(item)}</{ITEM}>" for item in value)
    return text(str(value))


SNIPPETS: Final[tuple[tuple[str, Text, Snippet], ...]] = (
    (
        "curl-soap",
        Text("curl, SOAP 1.1", "curl, SOAP 1.1"),
        lambda base, element, asked: curl_message(base, SERVICE, element, _envelope(element, asked, "1.1"), "1.1"),
    ),
    (
        "curl-soap12",
        Text("curl, SOAP 1.2", "curl, SOAP 1.2"),
        lambda base, element, asked: curl_message(base, SERVICE, element, _envelope(element, asked, "1.2"), "1.2"),
    ),
    (
        "python-soap",
        Text("Python, SOAP, zeep", "Python, SOAP, zeep"),
        lambda base, element, asked: zeep_message(base, SERVICE, element, asked),
    ),
    (
        "php-soap",
        Text("PHP, SOAP, SoapClient", "PHP, SOAP, SoapClient"),
        lambda base, element, asked: php_message(base, SERVICE, element, asked),
    ),
)
"""Name, title and maker of every snippet; `{element}-{name}` is its id on the page."""

_KNOWN: Final = (DossierBody,)
"""Records whose members stand in what is asked, and are not repeated where they are answered."""


def dossiers_page(base: str) -> bytes:
    """Return the page; `base` is the gateway's public address."""
    address = f"{base}/soap/{SERVICE}"
    contents = " · ".join(link(f"#{element}", _titled(element, offered)) for element, offered in OFFERED.items())
    addresses = table(
        (Text("Địa chỉ", "Address"), Text("Nghĩa", "Meaning")),
        [
            (code(f"POST {address}"), "SOAP 1.1, SOAP 1.2"),
            (link(f"{address}?wsdl", code(f"{address}?wsdl")), "WSDL; <code>&amp;soap=1.1</code>, <code>1.2</code>"),
            (code(f"PUT {base}/v1/dossiers/…"), link("../../docs", "REST, OpenAPI")),
            (code(namespace(SERVICE)), both(Text("Không gian tên của thông điệp", "Namespace of the messages"))),
        ],
    )
    body = (
        f"<p>{link('../soap', 'SOAP')}</p><h1>{both(TITLE)}</h1>"
        f"<nav aria-label='Thao tác · Operations'><p>{contents}</p></nav>{addresses}"
        + paragraph(
            f"Dành cho bên gọi có quyền {code('dossiers')}; không cần khối Header {code('Purpose')}. Khóa chống trùng "
            f"{code('key')} nằm trong Body: gửi lại cùng khóa thì nhận lại câu trả lời cũ với {code('replayed')}. "
            f"Mỗi {code('PushStatuses')} tối đa {AT_ONCE} sự kiện; sự kiện sai không ảnh hưởng sự kiện khác.",
            "For callers with the right <code>dossiers</code>; no header block Purpose is needed. The idempotency key "
            "stands in the Body: sent again with the same key, a push is answered as the first time, with "
            f"<code>replayed</code>. PushStatuses takes up to {AT_ONCE} events; a wrong one fails alone.",
        )
        + said_beside()
        + "".join(_operation(base, element, offered) for element, offered in OFFERED.items())
        + signing("../")
    )
    return page(f"{TITLE.vi} · SOAP", body, root="../")


def _titled(element: str, offered: Offered) -> str:
    return f"{code(element)} {both(offered.title)}"


def _operation(base: str, element: str, offered: Offered) -> str:
    asked = EXAMPLES[element]
    snippets = "".join(
        folded(both(title), block(make(base, element, asked), f"{element}-{name}")) for name, title, make in SNIPPETS
    )
    told = _rows(offered.answer, _KNOWN)
    return (
        f"<h2 id='{element}'>{_titled(element, offered)}</h2>"
        f"<h3>{both(Text('Hỏi', 'Asks'))}</h3>{table(_HEADS, _rows(offered.question, ()))}"
        f"<h3>{both(Text('Trả lời', 'Answers'))}</h3>"
        f"{folded(both(Text(f'{len(told)} trường', f'{len(told)} fields')), table(_HEADS, told))}"
        f"<h3>{both(Text('Mẫu gọi', 'Snippets'))}</h3>{snippets}"
    )


_HEADS: Final = (
    Text("Trường REST", "Field over REST"),
    Text("Phần tử SOAP", "Element over SOAP"),
    Text("Kiểu", "Type"),
    Text("Ý nghĩa", "Meaning"),
)


def _rows(model: type[BaseModel], known: tuple[type[BaseModel], ...]) -> list[tuple[str, str, str, str]]:
    required = described()[model].get("required", ())
    optional = {camel(name) for name in described()[model]["properties"]} - {camel(name) for name in required}
    shown: list[Told] = list(told_below(shape_of(model), described().__getitem__, without=known))
    return [
        (
            code(told.path) + (f"<br>{both(_OPTIONAL)}" if told.place in optional else ""),
            code(told.place),
            kind_of(told.schema),
            meaning_of(told.schema),
        )
        for told in shown
    ]


_OPTIONAL: Final = Text("tùy chọn", "optional")
