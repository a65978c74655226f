"""The one question and the one answer of the bench: a taxpayer's record of exactly 26 fields, the same for everybody.

What ties an answer to its question is put in when it is answered (the message id; where it is signed also a fresh
Timestamp and the question's signature). Everything else never changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

TAX_CODE: Final = "0100109106"
QUESTION: Final = json.dumps({"tax_code": TAX_CODE}).encode()

# Paths are those of the WSDL below NguoiNopThue; lists count from 0.
RECORD: Final[Mapping[str, Any]] = {
    "MaSoThue": TAX_CODE,
    "Nhom": "DN",
    "LoaiNNT": "0100",
    "TenNNT": "Công ty cổ phần Phát triển Công nghệ số Thăng Long",
    "TenHKD": "Hộ kinh doanh Nguyễn Thị Hồng Nhung",
    "SoDinhDanh": "001190012345",
    "MaSoThueChuQuan": "0101234565",
    "TrangThai": "00",
    "CoQuanThue": {"Ma": "10100", "Ten": "Cục Thuế thành phố Hà Nội"},
    "NgayCap": "2009-07-15",
    "NgayChamDut": "2026-01-31",
    "DiaChi": {
        "MaTinh": "01",
        "MaHuyen": "005",
        "MaXa": "00166",
        "ChiTiet": "Số 18, ngõ 62 đường Trần Thái Tông, phường Dịch Vọng Hậu",
        "QuocGia": "VN",
    },
    "DanhSachDaiDien": {
        "DaiDien": [{"HoTen": "Nguyễn Hữu Đức", "SoDinhDanh": "001085006789", "ChucVu": "Tổng giám đốc"}]
    },
    "DanhSachDonViPhuThuoc": {
        "DonViPhuThuoc": [
            {"MaSoThue": "0100109106-001", "Ten": "Chi nhánh thành phố Đà Nẵng", "TrangThai": "00"},
            {"MaSoThue": "0100109106-002", "Ten": "Chi nhánh tỉnh Thừa Thiên Huế", "TrangThai": "01"},
        ]
    },
}

# The same record in the gateway's vocabulary.
EXPECTED: Final[Mapping[str, Any]] = {
    "tax_code": TAX_CODE,
    "kind": "enterprise",
    "type_code": RECORD["LoaiNNT"],
    "name": RECORD["TenNNT"],
    "business_name": RECORD["TenHKD"],
    "personal_id": RECORD["SoDinhDanh"],
    "parent_tax_code": RECORD["MaSoThueChuQuan"],
    "status": "active",
    "tax_office": "10100",
    "tax_office_name": "Cục Thuế thành phố Hà Nội",
    "registered_on": "2009-07-15",
    "closed_on": "2026-01-31",
    "address": {
        "province": "01",
        "district": "005",
        "commune": "00166",
        "detail": RECORD["DiaChi"]["ChiTiet"],
        "country": "VN",
    },
    "representatives": [
        {"full_name": "Nguyễn Hữu Đức", "personal_id": "001085006789", "position": "Tổng giám đốc"},
    ],
    "branches": [
        {"tax_code": "0100109106-001", "name": "Chi nhánh thành phố Đà Nẵng", "status": "active"},
        {"tax_code": "0100109106-002", "name": "Chi nhánh tỉnh Thừa Thiên Huế", "status": "closed"},
    ],
}

MARK: Final = b"0100109106-002"
"""ASCII and near the end of the record: what every single answer is searched for."""


def leaves(value: Any) -> Iterator[Any]:
    """Yield the values of a JSON document that are neither objects nor lists, in order."""
    if isinstance(value, Mapping):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def flaw(body: bytes, *, gateway: bool, soap: bool = False) -> str | None:
    """Say what is wrong with a whole answer of a server under test, None if it holds the 26 fields.

    One over SOAP has to be signed and to have a receipt as well; its XML is read in the tests of the SOAP face.
    """
    if soap:
        lacking = [
            value for value in (*leaves(EXPECTED), "SignatureValue>", "checkpoint>") if value not in body.decode()
        ]
        return f"{len(lacking)} of what it should hold is missing" if lacking else None
    try:
        document = json.loads(body)
    except ValueError as error:
        return f"not JSON ({error})"
    if gateway:
        if not isinstance(document, dict) or not document.get("receipt"):
            return "no receipt"
        return None if document.get("data") == EXPECTED else "other data"
    # A rival may name and nest the fields as its library does, as long as every value is there.
    found, wanted = sorted(map(str, leaves(document))), sorted(leaves(RECORD))
    return (
        None if found == wanted else f"{len(found)} fields, {len(set(wanted) - set(found))} of the right ones missing"
    )


def payload() -> tuple[bytes, bytes]:
    """Return the answer's payload up to and from the message id; it is its own exclusive C14N."""
    text = (
        '<TraCuuNguoiNopThueResponse xmlns="urn:lgsp:sandbox:thue:1.0" MaYeuCau="\0"><MaKetQua>00</MaKetQua>'
        f"<MoTaKetQua>Tìm thấy</MoTaKetQua>{_xml('NguoiNopThue', RECORD)}</TraCuuNguoiNopThueResponse>"
    )
    before, _, after = text.encode().partition(b"\0")
    return before, after


def _xml(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_xml(name, item) for item in value)
    inside = "".join(_xml(*member) for member in value.items()) if isinstance(value, Mapping) else value
    return f"<{name}>{inside}</{name}>"
