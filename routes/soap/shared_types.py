"""The schema that all contracts share: header blocks, exchange, receipt, problem (phần chung của hợp đồng SOAP)."""

from __future__ import annotations

from typing import Final, NamedTuple

from lxml import etree

from routes.soap.names import GATEWAY
from routes.soap.types import ITEM, XS, document, name_types, xs
from schemas.errors import Text
from schemas.purposes import PURPOSES
from security.xml import Element


class Block(NamedTuple):
    """A header block of the gateway: its element, the HTTP header that says the same, and what it is."""

    name: str
    header: str
    vi: str
    en: str


BLOCKS: Final = (
    Block("Purpose", "Lgsp-Purpose", "Mục đích khai thác", "Why the caller asks: a purpose of the grant"),
    Block("Dossier", "Lgsp-Dossier", "Mã hồ sơ", "Code of the dossier that this look-up serves"),
    Block("Officer", "Lgsp-Officer", "Tài khoản cán bộ", "The caller's account of the officer who asks"),
    Block("Fields", "", "Các trường cần lấy", "Paths of the elements asked for, separated by commas"),
    Block("RequestId", "X-Request-Id", "Mã yêu cầu", "The caller's own id of the request"),
    Block("Receipt", "Lgsp-Receipt", "Dạng biên nhận", "`full`: the receipt also holds the entry and its proof"),
)

SAID_ALONG: Final = (
    ("exchange", "g:ExchangeType", Text("Lượt khai thác", "Which exchange this was, what was told, who signed it")),
    ("receipt", "g:ReceiptType", Text("Biên nhận kiểm toán", "Proof that this exchange stands in the audit log")),
)
"""What every answer says beside its data: element, type, what it is.

Elements of the database's own namespace: a global `receipt` beside the header block `Receipt` is one name to JAXB.
"""

_PURPOSES: Final = "; ".join(f"{code}: {title.en}" for code, title in PURPOSES.items())


def gateway_schema() -> Element:
    """Return the schema of the gateway's namespace."""
    schema = etree.Element(
        f"{{{XS}}}schema",
        {"targetNamespace": GATEWAY, "elementFormDefault": "qualified", "version": "1"},
        nsmap={"xs": XS, "g": GATEWAY},
    )
    for block in BLOCKS:
        place = xs(schema, "element", name=block.name, type_=f"g:{block.name}Header")
        document(place, block.vi, f"{block.en}. {_PURPOSES}" if block.name == "Purpose" else block.en)
        _header(schema, f"{block.name}Header")
    _exchange(schema)
    _receipt(schema)
    _problem(schema)
    name_types(schema, "g")
    return schema


def _header(schema: Element, name: str) -> None:
    """Append the type of a header block: text, with the attributes that SOAP and WS-Security put on header blocks.

    Each block has a type of its own: classes that .NET's tools make of two blocks of one type cannot be loaded.
    """
    extension = xs(xs(xs(schema, "complexType", name=name), "simpleContent"), "extension", base="xs:string")
    xs(extension, "anyAttribute", namespace="##other", processContents="lax")


def add_value(sequence: Element, name: str, vi: str, en: str, type_: str = "string", **more: str) -> None:
    """Append an element of a built-in type."""
    document(xs(sequence, "element", name=name, type_=f"xs:{type_}", **more), vi, en)


_MAYBE: Final = {"minOccurs": "0"}
_NONE: Final = {"nillable": "true"}
_MANY: Final = {"minOccurs": "0", "maxOccurs": "unbounded"}


def add_list(sequence: Element, name: str, vi: str, en: str, **more: str) -> Element:
    """Append an element with a type of its own; return the type's sequence."""
    place = xs(sequence, "element", name=name, **more)
    document(place, vi, en)
    return xs(xs(place, "complexType"), "sequence")


def _exchange(schema: Element) -> None:
    inside = xs(xs(schema, "complexType", name="ExchangeType"), "sequence")
    add_value(inside, "id", "Mã lượt khai thác", "Id of this exchange, as in the audit log")
    add_value(inside, "database", "Cơ sở dữ liệu", "Database that was asked")
    add_value(inside, "operation", "Thao tác", "Operation that was asked")
    add_value(inside, "answeredAt", "Thời điểm trả lời", "When the gateway answered, RFC 3339 in UTC")
    fields = add_list(inside, "fields", "Các trường được cung cấp", "Paths that `data` was reduced to")
    xs(fields, "element", name=ITEM, type_="xs:string", **_MANY)
    warnings = add_list(inside, "warnings", "Cảnh báo", "What a caller should know about the answer")
    warning = xs(xs(xs(warnings, "element", name=ITEM, **_MANY), "complexType"), "sequence")
    add_value(warning, "code", "Mã cảnh báo", "For example unmapped-code")
    add_value(warning, "pointer", "Vị trí", "Path into this answer, from its wrapper on")
    add_value(warning, "detail", "Chi tiết", "For an unmapped code the original of the source")
    signed = add_list(inside, "signature", "Chữ ký của nguồn", "Nil where the source does not sign", **_NONE)
    add_value(signed, "status", "Kết quả kiểm tra chữ ký", "Always valid")
    add_value(signed, "signer", "Bên ký", "Subject of the signing certificate (RFC 4514)")
    add_value(signed, "certificate", "Chứng thư", "sha256: and the fingerprint of the certificate")
    add_value(signed, "domain", "Miền tin cậy", "Trust domain of the certificate", **_NONE)
    add_value(signed, "revocation", "Tình trạng thu hồi", "good, indeterminate, or nil where it was not asked", **_NONE)
    add_value(signed, "signedAt", "Thời điểm ký", "When the source signed, RFC 3339 in UTC")


def _receipt(schema: Element) -> None:
    inside = xs(xs(schema, "complexType", name="ReceiptType"), "sequence")
    add_value(inside, "log", "Nhật ký", "Origin of the audit log")
    add_value(inside, "index", "Số thứ tự", "Position in the log", "long")
    add_value(inside, "leaf", "Lá", "SHA-256(0x00 ‖ entry), base64")
    add_value(inside, "salt", "Muối", "Opens the commitment to `data`, base64; nil where nothing was told", **_NONE)
    add_value(inside, "checkpoint", "Điểm kiểm tra", "Signed note (C2SP tlog-checkpoint) of a tree with this entry")
    add_value(inside, "entry", "Bản ghi", "Canonical bytes of the entry, base64; with Receipt full", **_MAYBE)
    proof = add_list(inside, "proof", "Chứng minh", "Inclusion proof (RFC 9162), base64; with Receipt full", **_MAYBE)
    xs(proof, "element", name=ITEM, type_="xs:string", **_MANY)


def _problem(schema: Element) -> None:
    document(
        xs(schema, "element", name="Problem", type_="g:ProblemType"),
        "Lỗi",
        "What went wrong; in the detail of every fault",
    )
    inside = xs(xs(schema, "complexType", name="ProblemType"), "sequence")
    add_value(inside, "type", "Loại lỗi", "Address of the page that explains the code")
    add_value(inside, "title", "Tên lỗi", "Short name of the error")
    add_value(inside, "status", "Mã trạng thái", "Status that the same error has over REST", "int")
    add_value(inside, "detail", "Chi tiết", "What happened this time; never a personal value")
    add_value(inside, "code", "Mã", "Stable code to program against")
    add_value(
        inside,
        "retryable",
        "Có thể gọi lại",
        "Whether the same question may succeed later; a signed one is signed anew",
        "boolean",
    )
    add_value(inside, "requestId", "Mã yêu cầu", "The request id")
    add_value(inside, "reason", "Lý do", "Which of the code's reasons, where it has several", **_MAYBE)
    add_value(inside, "retryAfter", "Gọi lại sau", "Seconds to wait before asking again", "int", **_MAYBE)
    errors = add_list(inside, "errors", "Các chỗ sai", "Each thing wrong with the request", **_MAYBE)
    error = xs(xs(xs(errors, "element", name=ITEM, **_MANY), "complexType"), "sequence")
    add_value(error, "pointer", "Vị trí", "Path into the request, from its wrapper on; empty for the whole")
    add_value(error, "detail", "Chi tiết", "What is wrong there")
    add_value(error, "header", "Tiêu đề", "Name of the header at fault", **_MAYBE)
    recorded = add_list(inside, "exchange", "Lượt khai thác", "Set once the failure stands in the audit log", **_MAYBE)
    add_value(recorded, "id", "Mã lượt khai thác", "Id of the recorded exchange")
    _, type_, text = SAID_ALONG[1]
    document(xs(inside, "element", name="receipt", type_=type_, minOccurs="0"), text.vi, text.en)
