"""`/docs/soap` and a page for each database: what is asked and answered, calls to copy (trang lập trình viên)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from routes.developers.example import Example, indented, told_of
from routes.developers.html import block, both, code, folded, link, page, paragraph, table
from routes.developers.programs import csharp_rest, csharp_soap, java_soap
from routes.developers.scripts import curl_me, curl_rest, curl_soap, php_soap, python_rest, python_soap
from routes.developers.signing import signing
from routes.openapi_models import Schema
from routes.soap.dossiers_contract import TITLE as DOSSIERS
from routes.soap.faults import fault
from routes.soap.names import GATEWAY, namespace
from routes.soap.replies import plain_envelope
from routes.soap.shared_types import BLOCKS
from schemas.errors import Flaw, Invalid, Text
from schemas.exchange import Database

SNIPPETS: Final[tuple[tuple[str, Text, Callable[[Example], str]], ...]] = (
    ("curl-rest", Text("curl, REST", "curl, REST"), curl_rest),
    ("curl-soap", Text("curl, SOAP 1.1", "curl, SOAP 1.1"), curl_soap),
    ("curl-soap12", Text("curl, SOAP 1.2", "curl, SOAP 1.2"), lambda example: curl_soap(example, "1.2")),
    ("python-rest", Text("Python, REST, không cần thư viện", "Python, REST, no library"), python_rest),
    ("python-soap", Text("Python, SOAP, zeep", "Python, SOAP, zeep"), python_soap),
    ("java-soap", Text("Java, SOAP, JAX-WS", "Java, SOAP, JAX-WS"), java_soap),
    ("csharp-rest", Text("C#, REST, HttpClient", "C#, REST, HttpClient"), csharp_rest),
    ("csharp-soap", Text("C#, SOAP, .NET Framework, Mono", "C#, SOAP, .NET Framework, Mono"), csharp_soap),
    ("php-soap", Text("PHP, SOAP, SoapClient", "PHP, SOAP, SoapClient"), php_soap),
)
"""Name, title and maker of every snippet; `{method}-{name}` is its id on the page, where `method` is Java's."""

READING: Final = "clients/soap_answer.py"
"""The script that turns an answer into that of REST, below `/docs/`."""

_FIELD: Final = Text("Trường REST", "Field over REST")
_ELEMENT: Final = Text("Phần tử SOAP", "Element over SOAP")
_KIND: Final = Text("Kiểu", "Type")
_MEANING: Final = Text("Ý nghĩa", "Meaning")
_OWN: Final = Text("Quyền của bên gọi", "What the caller may ask")
_SOME_ID: Final = "6b94dd3e-9f7a-46e1-845c-cad9af778997"


def index_page(databases: Iterable[Database], base: str) -> bytes:
    """Return the page that leads to those of the databases."""
    rows = [
        (
            link(f"soap/{database.name}", both(database.title)),
            link(f"../soap/{database.name}?wsdl", "WSDL"),
            link(f"postman/{database.name}.json", "Postman"),
            link(f"soapui/{database.name}.xml", "SoapUI"),
        )
        for database in databases
    ]
    rows.append((link("soap/dossiers", both(DOSSIERS)), link("../soap/dossiers?wsdl", "WSDL"), "", ""))
    rows.append((f"{both(_OWN)} {code(f'POST {base}/soap/me')}", link("../soap/me?wsdl", "WSDL"), "", ""))
    heads = (Text("Cơ sở dữ liệu", "Database"), Text("Hợp đồng", "Contract"), Text("", ""), Text("", ""))
    return page(
        "SOAP và mẫu gọi · SOAP and snippets",
        "<h1>SOAP và mẫu gọi <span lang='en'>· SOAP and snippets</span></h1>"
        + paragraph(
            "Mỗi cơ sở dữ liệu có một dịch vụ SOAP 1.1 và 1.2 (document/literal wrapped) với đúng các thao tác, quyền, "
            f"nhật ký và mã lỗi của REST ({link('../docs', 'tài liệu REST')}).",
            "Each database has a service over SOAP 1.1 and 1.2 (document/literal wrapped) with the operations, grants, "
            "log and error codes of REST.",
        )
        + table(heads, rows)
        + f"<h2 id='me'>{both(_OWN)}</h2>"
        + block(curl_me(base), "me-curl-soap")
        + said_beside()
        + signing(""),
        root="",
    )


def database_page(examples: Sequence[Example]) -> bytes:
    """Return the page of a database."""
    first = examples[0]
    database = first.database
    operations = " · ".join(link(f"#{example.method}", _titled(example)) for example in examples)
    addresses = table(
        (Text("Địa chỉ", "Address"), Text("Nghĩa", "Meaning")),
        [
            (code(f"POST {first.soap}"), "SOAP 1.1, SOAP 1.2"),
            (
                link(f"{first.soap}?wsdl", code(f"{first.soap}?wsdl")),
                "WSDL; <code>&amp;soap=1.1</code>, <code>1.2</code>",
            ),
            (code(f"POST {first.base}/v1/{database.name}/…"), link("../../docs", "REST, OpenAPI")),
            (code(namespace(database.name)), both(Text("Không gian tên của thông điệp", "Namespace of the messages"))),
            (
                " · ".join(
                    (
                        link(f"../postman/{database.name}.json", "Postman"),
                        link(f"../soapui/{database.name}.xml", "SoapUI"),
                    )
                ),
                both(Text("Tệp để nhập vào công cụ thử", "Files to import")),
            ),
        ],
    )
    body = (
        f"<p>{link('../soap', 'SOAP')}</p><h1>{both(database.title)}</h1><p>{both(database.owner)}</p>"
        f"<nav aria-label='Thao tác · Operations'><p>{operations}</p></nav>{addresses}{said_beside()}"
        f"{''.join(_operation(example) for example in examples)}{_faults(first)}{_reading('../')}{signing('../')}"
    )
    return page(f"{database.title.vi} · SOAP", body, root="../")


def _titled(example: Example) -> str:
    """Return an operation's title, with its element."""
    return f"{code(example.element)} {both(example.operation.title)}"


def said_beside() -> str:
    """Return the section about header blocks."""
    rows = [
        (code(known.name), code(known.header) if known.header else code("?fields="), both(Text(known.vi, known.en)))
        for known in BLOCKS
    ]
    heads = (Text("Khối Header", "Header block"), Text("REST, HTTP", "REST, HTTP"), _MEANING)
    return (
        f"<h2 id='headers'>{both(Text('Nói gì kèm câu hỏi', 'What is said beside the question'))}</h2>"
        + paragraph(
            f"Trong SOAP Header, không gian tên {code(GATEWAY)}, hoặc bằng tiêu đề HTTP. Bên gọi ký thông điệp thì "
            "phải dùng khối Header được ký. Ai gọi: HTTP Basic (mã ứng dụng và khóa bí mật), Bearer, chứng thư TLS, "
            "hoặc chữ ký WS-Security.",
            f"In the SOAP Header, namespace {code(GATEWAY)}, or as HTTP headers; who signs has to use signed header "
            "blocks. Who calls: HTTP Basic (client id and secret), Bearer, a TLS certificate, or a WS-Security "
            "signature.",
        )
        + table(heads, rows)
    )


def _operation(example: Example) -> str:
    operation = example.operation
    asked = [
        (
            code(member.name) + ("" if member.required else f"<br>{both(Text('tùy chọn', 'optional'))}"),
            code(member.element),
            kind_of(member.schema),
            meaning_of(member.schema),
        )
        for member in example.asked
    ]
    answered = [
        (code(told.path), code(told.place), kind_of(told.schema), meaning_of(told.schema))
        for told in told_of(example.database, operation)
    ]
    heads = (_FIELD, _ELEMENT, _KIND, _MEANING)
    snippets = "".join(
        folded(both(title), block(make(example), f"{example.method}-{name}")) for name, title, make in SNIPPETS
    )
    signed = (
        Text("Nguồn ký trả lời", "The source signs its answer")
        if operation.signed
        else Text("Nguồn không ký trả lời", "The source does not sign its answer")
    )
    return (
        f"<h2 id='{example.method}'>{_titled(example)}</h2><p>{both(signed)}</p>"
        f"<h3>{both(Text('Hỏi', 'Asks'))}</h3>{table(heads, asked)}"
        f"<h3>{both(Text('Trả lời', 'Answers'))}</h3>"
        f"{folded(both(Text(f'{len(answered)} trường', f'{len(answered)} fields')), table(heads, answered))}"
        f"{folded(both(Text('Ví dụ data', 'Example of data')), block(example.answer()))}"
        f"<h3>{both(Text('Mẫu gọi', 'Snippets'))}</h3>{snippets}"
    )


def kind_of(schema: Schema) -> str:
    """Return the type of a member with what bounds it."""
    kinds = schema.get("type", "string" if "enum" in schema else "object")
    named = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    if "enum" in schema:
        return ", ".join(code(str(word)) for word in schema["enum"] if word is not None)
    bounds = [code(schema["pattern"])] if "pattern" in schema else []
    bounds += [f"≤ {schema['maxLength']}"] if "maxLength" in schema else []
    return " ".join([*named, *bounds])


def meaning_of(schema: Schema) -> str:
    """Return what a member is, in both languages."""
    return both(Text(schema.get("title", ""), schema.get("description", "")))


def _reading(root: str) -> str:
    return f"<h2 id='reading'>{both(Text('Đọc trả lời', 'Reading answers'))}</h2>" + paragraph(
        f"Không có phần tử: không được cấp hoặc không hỏi; {code('xsi:nil')}: nguồn không có; rỗng: nguồn gửi "
        f"chuỗi rỗng. Danh sách là phần tử chứa các {code('item')}. {code('salt')} của biên nhận mở cam kết với dạng "
        f"JSON (RFC 8785) của {code('data')}: {link(root + READING, code('soap_answer.py'))} chuyển XML về JSON đó.",
        "An absent element: not granted or not asked; xsi:nil: the source has none; empty: the source sent empty text. "
        "A list is an element with items. The receipt's salt opens the commitment to data as JSON (RFC 8785), which "
        "soap_answer.py makes of the XML.",
    )


def _faults(example: Example) -> str:
    error = Invalid(flaws=[Flaw(f"/{example.element}/{example.asked[0].element}", _WRONG)])
    _, payload = fault(error, "1.1", request_id=_SOME_ID, language="vi", base_url=example.base)
    return (
        f"<h2 id='faults'>{both(Text('Khi có lỗi', 'When it goes wrong'))}</h2>"
        + paragraph(
            "SOAP 1.1: mọi lỗi là HTTP 500 (401 khi không biết ai gọi, 413, 415); SOAP 1.2: 400 khi lỗi ở bên gọi. "
            f"Lập trình theo {code('code')} trong {code('Problem')}: cùng mã với REST, "
            f"{link(f'{example.base}/problems', 'bảng mã')}. Lỗi đã vào nhật ký có thêm {code('receipt')}.",
            "SOAP 1.1: every fault is HTTP 500 (401 where nobody knows who calls, 413, 415); SOAP 1.2: 400 where the "
            "caller is to blame. Program against `code` in `Problem`; what was recorded has a receipt too.",
        )
        + block(indented(plain_envelope(payload, "1.1")))
    )


_WRONG: Final = Text("giá trị không hợp lệ", "is not valid")
