"""What a dossier is made of beside its own fields: papers, fees, supplements, results, the numbers of its owner.

Members, places and codes are those of the portal's first generation as public clients use them. Where nothing in reach
says what a code means it is handed on as it is. Lengths that no client shows are ours and generous.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from schemas.codes.shapes import schema, shaped
from schemas.dossiers.moments import Moment
from schemas.fields import Question, said
from schemas.forms import INTEGER, LOCAL_INSTANT, Form, Unmapped, flag
from schemas.identifiers import Subject, check_plain

_LINES: Final = {ord(character): " " for character in "\t\n\r"}


def _prose(value: str) -> str:
    check_plain(value.translate(_LINES))
    return unicodedata.normalize("NFC", value)


# Texts are of one line, prose is as people write it; both are brought to NFC and hold no other control characters.
ShortText = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_plain)]
CodeText = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(check_plain)]
FileName = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(check_plain)]
Address = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(check_plain)]
Prose = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_prose)]
Count = Annotated[int, Field(ge=0, le=9999)]

_AMOUNT: Final = r"[0-9]{1,15}(\.[0-9]{1,2})?"
Amount = Annotated[
    str,
    AfterValidator(shaped(_AMOUNT, "an amount is a decimal text with a point and at most two places behind it")),
    WithJsonSchema({"type": "string", "pattern": f"^{_AMOUNT}$"}),
]

_NUMBER: Final = "([0-9]{12}|[0-9]{9})"
IdentityNumber = Annotated[
    str,
    AfterValidator(shaped(_NUMBER, "a personal number has 12 digits, an old identity card 9")),
    schema(_NUMBER, "Personal number, 12 digits, or old identity card, 9 (số định danh cá nhân hoặc CMND)"),
    Subject("identity-document"),
]

YES_NO: Final = flag("1", "0")
_KINDS: Final = {"1": 12, "2": 9}


def _read_identity(kind: str | None, number: str | None) -> str | None:
    if not number or number.isspace():
        return None
    if kind is None or len(number) != _KINDS.get(kind):
        raise Unmapped(kind or "")
    return number


IDENTITY: Final = Form(_read_identity, lambda number: ("1" if len(number) == _KINDS["1"] else "2", number), arity=2)
"""LoaiDinhDanh and SoDinhDanh: 1 for a personal number, 2 for an old card; the number's length says which."""


class OwnerIdentity(Question):
    """A number that identifies the owner as a person (định danh chủ hồ sơ)."""

    number: IdentityNumber = said(
        "Số định danh hoặc CMND",
        "Personal number, 12 digits, or old identity card number, 9 digits",
        ("LoaiDinhDanh", "SoDinhDanh"),
        IDENTITY,
        required=True,
        examples=["001190000001"],
    )


class Attachment(Question):
    """A paper that was handed in (tài liệu nộp)."""

    file_id: CodeText | None = said("Mã tệp đính kèm", "Identifier of the file at the source", "TepDinhKemId")
    name: FileName = said("Tên tệp đính kèm", "Name of the file", "TenTepDinhKem", required=True)
    component: CodeText | None = said(
        "Mã thành phần hồ sơ", "Code of the component of the dossier that it is", "MaThanhPhanHoSo"
    )
    url: Address | None = said("Đường dẫn tải tệp tin", "Where the file can be fetched", "DuongDanTaiTepTin")
    digitised: bool | None = said("Được số hóa", "Whether it was digitised on receipt", "DuocSoHoa", YES_NO)
    reused: Literal["0", "1", "2"] | None = said(
        "Được tái sử dụng", "Reuse of an earlier paper, in the portal's codes", "DuocTaiSuDung"
    )
    from_store: bool | None = said(
        "Được lấy từ kho dữ liệu điện tử", "Whether it came from the store of results", "DuocLayTuKhoDMQG", YES_NO
    )
    replaces: CodeText | None = said("Mã kết quả thay thế", "Code of the result that it stands for", "MaKetQuaThayThe")
    deleted: bool = said("Đã xóa", "Whether the file is withdrawn", "IsDeleted", flag("True", "False"), default=False)


class Fee(Question):
    """A fee or charge (phí, lệ phí)."""

    name: ShortText = said("Tên phí, lệ phí", "Name of the fee", "TenPhiLePhi", required=True)
    code: CodeText | None = said("Mã phí, lệ phí", "Code of the fee", "MaPhiLePhi")
    collected: CodeText | None = said("Hình thức thu", "How it is collected, in the portal's codes", "HinhThucThu")
    amount: Amount = said("Giá", "Amount in đồng", "Gia", required=True, examples=["50000"])
    kind: CodeText | None = said("Loại phí, lệ phí", "Kind of fee, in the portal's codes", "LoaiPhiLePhi")


class Paper(Question):
    """A paper without a file (giấy tờ)."""

    name: ShortText = said("Tên giấy tờ", "Name of the paper", "TenGiayTo", required=True)
    copies: Count | None = said("Số lượng", "Number of copies", "SoLuong", INTEGER)
    kind: CodeText | None = said("Loại giấy tờ", "Kind of paper, in the portal's codes", "LoaiGiayTo")


class Supplement(Question):
    """A request to supplement the dossier, and what came of it (hồ sơ bổ sung)."""

    id: CodeText | None = said("Mã lần bổ sung", "Identifier of the request at the source", "HoSoBoSungId")
    requested_by: ShortText | None = said("Người yêu cầu bổ sung", "Who asked for it", "NguoiYeuCauBoSung")
    request: Prose | None = said("Nội dung bổ sung", "What has to be supplemented", "NoiDungBoSung")
    requested_at: Moment | None = said("Ngày bổ sung", "When it was asked for", "NgayBoSung", LOCAL_INSTANT)
    received_by: ShortText | None = said("Người tiếp nhận bổ sung", "Who took the supplement", "NguoiTiepNhanBoSung")
    received: Prose | None = said("Thông tin tiếp nhận", "What was taken", "ThongTinTiepNhan")
    received_at: Moment | None = said(
        "Ngày tiếp nhận bổ sung", "When the supplement was taken", "NgayTiepNhanBoSung", LOCAL_INSTANT
    )
    status: CodeText | None = said("Trạng thái bổ sung", "Its state, in the portal's codes", "TrangThaiBoSung")
    papers: list[Paper] = said("Danh sách giấy tờ bổ sung", "Papers supplemented", "DanhSachGiayToBoSung", default=[])
    fees: list[Fee] = said("Danh sách lệ phí bổ sung", "Fees that came with it", "DanhSachLePhiBoSung", default=[])
    due_before: Moment | None = said(
        "Ngày hẹn trả trước", "When the result was due before the request", "NgayHenTraTruoc", LOCAL_INSTANT
    )
    due_after: Moment | None = said("Ngày hẹn trả mới", "When it is due since", "NgayHenTraMoi", LOCAL_INSTANT)


class Result(Question):
    """A paper that the dossier ended in (giấy tờ kết quả)."""

    name: ShortText = said("Tên giấy tờ kết quả", "Name of the result", "TenGiayTo", required=True)
    component: CodeText | None = said(
        "Mã thành phần hồ sơ", "Code of the component that the result can stand for later", "MaThanhPhanHoSo"
    )
    paper_id: CodeText | None = said("Mã giấy tờ", "Identifier of the paper at the source", "GiayToId")
    url: Address | None = said("Đường dẫn tệp kết quả", "Where the result can be fetched", "DuongDanTepTinKetQua")
    code: CodeText | None = said(
        "Mã giấy tờ kết quả", "Code of the kind of result", "MaGiayToKetQua", examples=["KQ.G15.000031"]
    )


class LinkedDatabase(Question):
    """A database that was asked for the dossier (kết nối CSDL)."""

    code: CodeText = said("Mã cơ sở dữ liệu", "Code of the database in the portal's list", "MaCSDL", required=True)
