"""The portal's catalogues: a few procedures, with their fields and the agencies in charge (thủ tục, lĩnh vực, cơ quan).

The keys of LayThuTuc down to its innermost lists are [C]; those of the three lists are [C] for procedures and, by
analogy, [ours] for fields and agencies. The procedures are invented; three codes are samples of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

AGENCIES: Final = {
    "G09": "Bộ Nội vụ",
    "G10": "Bộ Nông nghiệp và Môi trường",
    "G12": "Bộ Tài chính",
    "G15": "Bộ Tư pháp",
    "G18": "Bộ Y tế",
    "H26": "Ủy ban nhân dân thành phố Hà Nội",
}
FIELDS: Final = {
    "G09-VL01": "Việc làm",
    "G10-DD01": "Đất đai",
    "G12-DN01": "Thành lập và hoạt động của doanh nghiệp",
    "G12-BH01": "Bảo hiểm xã hội",
    "G15-HT01": "Hộ tịch",
    "G18-KB01": "Khám bệnh, chữa bệnh",
}


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure as the catalogue has it; `days` are working days, `fee` is in dong."""

    code: str
    name: str
    field: str
    days: int
    fee: int
    papers: tuple[str, ...]
    result: str
    basis: tuple[str, str]

    @property
    def agency(self) -> str:
        """The agency in charge, which the field's code begins with."""
        return self.field.partition("-")[0]


PROCEDURES: Final = (
    Procedure(
        "1.005129",
        "Đăng ký hoạt động dịch vụ việc làm",
        "G09-VL01",
        10,
        0,
        ("Văn bản đề nghị", "Tài liệu chứng minh"),
        "Giấy phép hoạt động",
        ("Luật Việc làm", "Luật Việc làm"),
    ),
    Procedure(
        "2.002492",
        "Đăng ký khai sinh liên thông",
        "G15-HT01",
        3,
        0,
        ("Tờ khai đăng ký khai sinh", "Giấy chứng sinh"),
        "Giấy khai sinh",
        ("60/2014/QH13", "Luật Hộ tịch"),
    ),
    Procedure(
        "3.000181",
        "Cấp bản sao trích lục hộ tịch",
        "G15-HT01",
        1,
        8000,
        ("Tờ khai cấp bản sao",),
        "Bản sao trích lục",
        ("60/2014/QH13", "Luật Hộ tịch"),
    ),
    Procedure(
        "1.990001",
        "Đăng ký biến động quyền sử dụng đất",
        "G10-DD01",
        10,
        28000,
        ("Đơn đăng ký biến động", "Giấy chứng nhận đã cấp"),
        "Giấy chứng nhận",
        ("31/2024/QH15", "Luật Đất đai"),
    ),
    Procedure(
        "1.990002",
        "Đăng ký thay đổi nội dung đăng ký doanh nghiệp",
        "G12-DN01",
        3,
        50000,
        ("Giấy đề nghị", "Nghị quyết hoặc quyết định"),
        "Giấy chứng nhận đăng ký doanh nghiệp",
        ("59/2020/QH14", "Luật Doanh nghiệp"),
    ),
    Procedure(
        "1.990003",
        "Cấp thẻ bảo hiểm y tế cho trẻ em dưới 6 tuổi",
        "G12-BH01",
        5,
        0,
        ("Tờ khai tham gia",),
        "Thẻ bảo hiểm y tế",
        ("25/2008/QH12", "Luật Bảo hiểm y tế"),
    ),
    Procedure(
        "1.990004",
        "Cấp giấy phép hành nghề khám bệnh, chữa bệnh",
        "G18-KB01",
        15,
        430000,
        ("Đơn đề nghị", "Văn bằng chuyên môn"),
        "Giấy phép hành nghề",
        ("15/2023/QH15", "Luật Khám bệnh, chữa bệnh"),
    ),
)
_BY_CODE: Final = {procedure.code: procedure for procedure in PROCEDURES}
# KENH: in person, online, by post.
_CHANNELS: Final = (1, 2, 3)


def described(code: str) -> list[dict[str, Any]]:
    """Answer LayThuTuc: the procedure in a list, or an empty one."""
    found = _BY_CODE.get(code)
    if found is None:
        return []
    fee = {"MAPHILEPHI": f"{found.field}-LP", "SOTIEN": found.fee, "DONVI": "Đồng", "MOTA": ""}
    time = {"THOIGIANGIAIQUYET": found.days, "DONVITINH": "Ngày làm việc", "MOTA": "", "PHILEPHI": [fee]}
    papers = [
        {"MATHANHPHANHOSO": f"000.00.00.{found.agency}-KQ{number:06d}", "TENTHANHPHANHOSO": name}
        for number, name in enumerate(found.papers, start=1)
    ]
    return [
        {
            "MATTHC": found.code,
            "TENTTHC": found.name,
            "TRANGTHAI": 1,
            "LINHVUCTHUCHIEN": [{"MALINHVUC": found.field, "TENLINHVUC": FIELDS[found.field]}],
            "COQUANTHUCHIEN": [{"MADONVI": found.agency, "TENDONVI": AGENCIES[found.agency]}],
            "TRINHTUTHUCHIEN": [
                {
                    "TRUONGHOP": "",
                    "TRINHTU": [{"TENTRINHTU": step} for step in ("Nộp hồ sơ", "Giải quyết", "Trả kết quả")],
                }
            ],
            "CACHTHUCTHUCHIEN": [{"KENH": channel, "THOIGIAN": [time]} for channel in _CHANNELS],
            "PHILEPHI": [fee],
            "THANHPHANHOSO": [{"TRUONGHOP": "", "GIAYTO": papers}],
            "KETQUATHUCHIEN": [{"MAKETQUA": f"KQ.{found.agency}.000001", "TENKETQUA": found.result}],
            "CANCUPHAPLY": [{"SOVANBAN": found.basis[0], "TENVANBAN": found.basis[1]}],
            "YEUCAU": "",
            "MOTADOITUONGTHUCHIEN": "Công dân Việt Nam; doanh nghiệp",
        }
    ]


def procedures() -> list[dict[str, Any]]:
    """Answer LayDanhSachTTHC."""
    return [{"MATTHC": procedure.code, "TENTTHC": procedure.name} for procedure in PROCEDURES]


def fields() -> list[dict[str, Any]]:
    """Answer LayDanhMucLinhVuc."""
    return [{"MALINHVUC": code, "TENLINHVUC": name} for code, name in FIELDS.items()]


def agencies() -> list[dict[str, Any]]:
    """Answer LayDanhMucCoQuan."""
    return [{"MADONVI": code, "TENDONVI": name} for code, name in AGENCIES.items()]
