"""What is said about a dossier and about a step of its handling, for sources and for the portal alike.

Names at the portal are those of its first generation (DongBoHoSoMC, CapNhatTienDoHoSoMC), where everything is text and
an absent moment is "". Required is what a dossier is nothing without (which fields the portal insists on is published
nowhere); one that was refused or not yet accepted has no day of acceptance, so one of two moments is enough. Whatever
concerns only one generation says so.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.dossiers.moments import Moment
from schemas.dossiers.parts import (
    YES_NO,
    Attachment,
    CodeText,
    Fee,
    LinkedDatabase,
    OwnerIdentity,
    Paper,
    Prose,
    Result,
    ShortText,
    Supplement,
)
from schemas.fields import Question, said
from schemas.forms import LOCAL_INSTANT, codes
from schemas.identifiers import AgencyCode, EnterpriseCode, ProcedureCode, check_plain

Channel = Literal["counter", "online", "post"]
OwnerKind = Literal["citizen", "enterprise", "state-agency", "other-organisation", "household-business"]
ReturnMethod = Literal["counter", "post"]
SubmittedTo = Literal["national-portal", "local-system"]

CHANNEL: Final = codes({"1": "counter", "2": "online", "3": "post"})
OWNER_KIND: Final = codes({"1": "citizen", "2": "enterprise", "3": "state-agency", "4": "other-organisation"})
"""LoaiDoiTuong of the first generation, which has no number for a household business: writing one raises KeyError."""
OWNER_KIND_2: Final = codes({"0": "citizen", "1": "enterprise", "2": "household-business"})
"""LoaiDoiTuong of the second generation, another scale; writing a kind that it does not have raises KeyError."""
RETURN_METHOD: Final = codes({"0": "counter", "1": "post"})
SUBMITTED_TO: Final = codes({"1": "national-portal", "2": "local-system"})
"""NoiNopHoSo: that 2 is the local system was seen, that 1 is the portal itself follows from nothing else being left."""

Summary = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(check_plain)]
Officer = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(check_plain)]


class DossierContent(Question):
    """Everything that is said about a dossier apart from its code and its status (thông tin hồ sơ)."""

    procedure: ProcedureCode = said(
        "Mã thủ tục hành chính", "Code of the procedure", "MaTTHC", required=True, examples=["1.005129"]
    )
    procedure_name: ShortText | None = said("Tên thủ tục hành chính", "Name of the procedure", "TenTTHC")
    field: CodeText | None = said("Mã lĩnh vực", "Code of the field of work", "MaLinhVuc", examples=["G03-GD10"])
    field_name: ShortText | None = said("Tên lĩnh vực", "Name of the field of work", "TenLinhVuc")
    channel: Channel = said(
        "Kênh thực hiện",
        "How the dossier came: at the counter, online or by post",
        "KenhThucHien",
        CHANNEL,
        required=True,
    )
    receipt_number: CodeText | None = said("Số biên nhận", "Number of the receipt", "SoBienNhan")
    owner_name: ShortText = said(
        "Chủ hồ sơ", "Name of the person or body that the dossier is of", "ChuHoSo", required=True
    )
    owner_kind: OwnerKind = said(
        "Loại đối tượng",
        "What the owner is",
        "LoaiDoiTuong",
        OWNER_KIND,
        required=True,
        note="Generation 1 of the portal has no household-business, generation 2 no state-agency or other-organisation",
    )
    owner_identities: list[OwnerIdentity] = said(
        "Định danh chủ hồ sơ", "Numbers that identify the owner as a person", "DinhDanhCHS", default=[]
    )
    owner_enterprise_code: EnterpriseCode | None = said(
        "Mã số doanh nghiệp của chủ hồ sơ",
        "Enterprise code of the owner",
        note="Kept as evidence; the portal has no place for it",
    )
    owner_account: CodeText | None = said(
        "Mã đối tượng (TechID)", "Account of the owner at the portal", "MaDoiTuong", note="Only with the channel online"
    )
    other_information: Prose | None = said("Thông tin khác", "Further information about the owner", "ThongTinKhac")
    email: ShortText | None = said("Email", "E-mail address of the owner", "Email")
    fax: CodeText | None = said("Fax", "Fax number of the owner", "Fax")
    phone: CodeText | None = said("Số điện thoại", "Telephone number of the owner", "SoDienThoai")
    summary: Summary | None = said("Trích yếu hồ sơ", "What the dossier is about", "TrichYeuHoSo")
    submitted_at: Moment | None = said(
        "Ngày nộp hồ sơ",
        "When the dossier was handed in",
        "NgayNopHoSo",
        LOCAL_INSTANT,
        note="This or received_at is required",
    )
    received_at: Moment | None = said("Ngày tiếp nhận", "When the dossier was accepted", "NgayTiepNhan", LOCAL_INSTANT)
    due_at: Moment | None = said("Ngày hẹn trả", "When the result is due", "NgayHenTra", LOCAL_INSTANT)
    refused_at: Moment | None = said("Ngày từ chối", "When acceptance was refused", "NgayTuChoi", LOCAL_INSTANT)
    finished_at: Moment | None = said("Ngày kết thúc xử lý", "When processing ended", "NgayKetThucXuLy", LOCAL_INSTANT)
    returned_at: Moment | None = said("Ngày trả", "When the result was handed over", "NgayTra", LOCAL_INSTANT)
    return_information: Prose | None = said(
        "Thông tin trả", "How and to whom the result was handed over", "ThongTinTra"
    )
    return_method: ReturnMethod | None = said(
        "Hình thức trả kết quả", "How the result is handed over", "HinhThuc", RETURN_METHOD
    )
    submitted_to: SubmittedTo | None = said(
        "Nơi nộp hồ sơ", "Where the dossier was handed in", "NoiNopHoSo", SUBMITTED_TO
    )
    agency: AgencyCode | None = said(
        "Mã đơn vị tiếp nhận",
        "Code of the agency that accepts the dossier",
        note="The one in the dossier's code where it is absent; the second generation of the portal asks for it",
    )
    processing_unit: ShortText | None = said("Đơn vị xử lý", "Name of the unit that handles the dossier", "DonViXuLy")
    note: Prose | None = said("Ghi chú", "Remark", "GhiChu")
    has_digitised: bool | None = said(
        "Hồ sơ có thành phần số hóa", "Whether parts of it were digitised", "HoSoCoThanhPhanSoHoa", YES_NO
    )
    vneid_verified: bool | None = said(
        "Tài khoản được xác thực với VNeID",
        "Whether the owner's account is verified with VNeID",
        "TaiKhoanDuocXacThucVoiVNeID",
        YES_NO,
    )
    online_payment: bool | None = said(
        "Được thanh toán trực tuyến", "Whether fees were paid online", "DuocThanhToanTrucTuyen", YES_NO
    )
    attachments: list[Attachment] = said("Tài liệu nộp", "Papers handed in", "TaiLieuNop", default=[])
    fees: list[Fee] = said("Danh sách lệ phí", "Fees and charges", "DanhSachLePhi", default=[])
    other_papers: list[Paper] = said(
        "Danh sách giấy tờ khác", "Papers without a file", "DanhSachTepDinhKemKhac", default=[]
    )
    supplements: list[Supplement] = said(
        "Danh sách hồ sơ bổ sung", "Requests to supplement the dossier", "DanhSachHoSoBoSung", default=[]
    )
    results: list[Result] = said("Danh sách giấy tờ kết quả", "Results", "DanhSachGiayToKetQua", default=[])
    databases: list[LinkedDatabase] = said(
        "Danh sách kết nối CSDL", "Databases that were asked for the dossier", "DSKetNoiCSDL", default=[]
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.submitted_at is None and self.received_at is None:
            raise ValueError("give submitted_at or received_at")
        if self.owner_account is not None and self.channel != "online":
            raise ValueError("owner_account belongs to dossiers of the channel online")
        return self


class StepContent(Question):
    """What is said about a step of the handling apart from dossier and status (tiến độ xử lý)."""

    at: Moment = said(
        "Thời điểm xử lý",
        "When the status was reached",
        "ThoiDiemXuLy",
        LOCAL_INSTANT,
        required=True,
        examples=["2026-11-23T09:00:00+07:00"],
        note="Never orders events; more than five minutes ahead of the gateway's clock is kept in quarantine",
    )
    unit: ShortText | None = said("Phòng ban xử lý", "Unit that handled it", "PhongBanXuLy")
    officer: Officer | None = said("Người xử lý", "Name or account of the officer who handled it", "NguoiXuLy")
    position: ShortText | None = said("Chức danh", "Position of the officer", "ChucDanh")
    note: Prose | None = said("Nội dung xử lý", "What was done", "NoiDungXuLy")
    started_at: Moment | None = said("Ngày bắt đầu", "When the step began", "NgayBatDau", LOCAL_INSTANT)
    due_at: Moment | None = said(
        "Ngày kết thúc theo quy định", "When the step has to end", "NgayKetThucTheoQuyDinh", LOCAL_INSTANT
    )
