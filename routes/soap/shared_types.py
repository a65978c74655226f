"""The schema that all contracts share: header blocks, exchange, receipt, problem (phần chung của hợp đồng SOAP)."""

from __future__ import annotations

from typing import Final, NamedTuple

from lxml import etree

from routes.soap.names import GATEWAY
from routes.soap.types import ITEM, XS, document, xs
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

_PURPOSES: Final = "; ".join(f"{code}: {title.en}" for code, title in PURPOSES.items())


def gateway_schema() -> Element:
    """Return the schema of the gateway's namespace."""
    schema = etree.Element(
        f"{{{XS}}}schema",
        {"targetNamespace": GATEWAY, "elementFormDefault": "qualified", "version": "1"},
        nsmap={"xs": XS, "g": GATEWAY},
    )
    for block in BLOCKS:
        place = xs(schema, "element", name=block.name, type_="xs:string")
        document(place, block.vi, f"{block.en}. {_PURPOSES}" if block.name == "Purpose" else block.en)
    _exchange(schema)
    _receipt(schema)
    _problem(schema)
    return schema


def _text(sequence: Element, name: str, vi: str, en: str, type_: str = "string", **more: str) -> None:
    document(xs(sequence, "element", name=name, type_=f"xs:{type_}", **more), vi, en)


_MAYBE: Final = {"minOccurs": "0"}
_NONE: Final = {"nillable": "true"}
_MANY: Final = {"minOccurs": "0", "maxOccurs": "unbounded"}


def _element(schema: Element, name: str, vi: str, en: str) -> Element:
    """Append a global element with a type of its own name; return the type's sequence."""
    place = xs(schema, "element", name=name, type_=f"g:{name[0].upper()}{name[1:]}Type")
    document(place, vi, en)
    return xs(xs(schema, "complexType", name=f"{name[0].upper()}{name[1:]}Type"), "sequence")


def _listed(sequence: Element, name: str, vi: str, en: str, **more: str) -> Element:
    place = xs(sequence, "element", name=name, **more)
    document(place, vi, en)
    return xs(xs(place, "complexType"), "sequence")


def _exchange(schema: Element) -> None:
    inside = _element(schema, "exchange", "Lượt khai thác", "Which exchange this was, what was told, who signed it")
    _text(inside, "id", "Mã lượt khai thác", "Id of this exchange, as in the audit log")
    _text(inside, "database", "Cơ sở dữ liệu", "Database that was asked")
    _text(inside, "operation", "Thao tác", "Operation that was asked")
    _text(inside, "answeredAt", "Thời điểm trả lời", "When the gateway answered, RFC 3339 in UTC")
    fields = _listed(inside, "fields", "Các trường được cung cấp", "Paths that `data` was reduced to")
    xs(fields, "element", name=ITEM, type_="xs:string", **_MANY)
    warnings = _listed(inside, "warnings", "Cảnh báo", "What a caller should know about the answer")
    warning = xs(xs(xs(warnings, "element", name=ITEM, **_MANY), "complexType"), "sequence")
    _text(warning, "code", "Mã cảnh báo", "For example unmapped-code")
    _text(warning, "pointer", "Vị trí", "Path into this answer, from its wrapper on")
    _text(warning, "detail", "Chi tiết", "For an unmapped code the original of the source")
    signed = _listed(inside, "signature", "Chữ ký của nguồn", "Nil where the source does not sign", **_NONE)
    _text(signed, "status", "Kết quả kiểm tra chữ ký", "Always valid")
    _text(signed, "signer", "Bên ký", "Subject of the signing certificate (RFC 4514)")
    _text(signed, "certificate", "Chứng thư", "sha256: and the fingerprint of the certificate")
    _text(signed, "domain", "Miền tin cậy", "Trust domain of the certificate", **_NONE)
    _text(signed, "revocation", "Tình trạng thu hồi", "good, indeterminate, or nil where it was not asked", **_NONE)
    _text(signed, "signedAt", "Thời điểm ký", "When the source signed, RFC 3339 in UTC")


def _receipt(schema: Element) -> None:
    inside = _element(schema, "receipt", "Biên nhận kiểm toán", "Proof that this exchange stands in the audit log")
    _text(inside, "log", "Nhật ký", "Origin of the audit log")
    _text(inside, "index", "Số thứ tự", "Position in the log", "long")
    _text(inside, "leaf", "Lá", "SHA-256(0x00 ‖ entry), base64")
    _text(inside, "salt", "Muối", "Opens the commitment to `data`, base64; nil where nothing was told", **_NONE)
    _text(inside, "checkpoint", "Điểm kiểm tra", "Signed note (C2SP tlog-checkpoint) of a tree with this entry")
    _text(inside, "entry", "Bản ghi", "Canonical bytes of the entry, base64; with Receipt full", **_MAYBE)
    proof = _listed(inside, "proof", "Chứng minh", "Inclusion proof (RFC 9162), base64; with Receipt full", **_MAYBE)
    xs(proof, "element", name=ITEM, type_="xs:string", **_MANY)


def _problem(schema: Element) -> None:
    inside = _element(schema, "Problem", "Lỗi", "What went wrong; in the detail of every fault")
    _text(inside, "type", "Loại lỗi", "Address of the page that explains the code")
    _text(inside, "title", "Tên lỗi", "Short name of the error")
    _text(inside, "status", "Mã trạng thái", "Status that the same error has over REST", "int")
    _text(inside, "detail", "Chi tiết", "What happened this time; never a personal value")
    _text(inside, "code", "Mã", "Stable code to program against")
    _text(inside, "retryable", "Có thể gọi lại", "Whether the same request may succeed later", "boolean")
    _text(inside, "requestId", "Mã yêu cầu", "The request id")
    _text(inside, "reason", "Lý do", "Which of the code's reasons, where it has several", **_MAYBE)
    _text(inside, "retryAfter", "Gọi lại sau", "Seconds to wait before asking again", "int", **_MAYBE)
    errors = _listed(inside, "errors", "Các chỗ sai", "Each thing wrong with the request", **_MAYBE)
    error = xs(xs(xs(errors, "element", name=ITEM, **_MANY), "complexType"), "sequence")
    _text(error, "pointer", "Vị trí", "Path into the request, from its wrapper on; empty for the whole")
    _text(error, "detail", "Chi tiết", "What is wrong there")
    _text(error, "header", "Tiêu đề", "Name of the header at fault", **_MAYBE)
    recorded = _listed(inside, "exchange", "Lượt khai thác", "Set once the failure stands in the audit log", **_MAYBE)
    _text(recorded, "id", "Mã lượt khai thác", "Id of the recorded exchange")
    xs(inside, "element", ref="g:receipt", minOccurs="0")
