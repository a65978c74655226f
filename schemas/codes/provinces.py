"""The provinces before and after 1 July 2025, and which became which.

Codes are the two digits of the statistics office's list. Resolution 202/2025/QH15 merged 63 provinces into 34 from
2025-07-01 and Decision 19/2025/QD-TTg fixed the codes of the 34; every one of them was in use before, some for
another name (15 was Yên Bái and is Lào Cai, 44 was Quảng Bình and is Quảng Trị). Codes inside personal numbers and
dossier codes are never rewritten, so the old list stays needed.
"""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

MERGER = date(2025, 7, 1)
"""First day of the two-tier government: 34 provinces, no districts."""

PROVINCES_BEFORE: Mapping[str, str] = MappingProxyType(
    {
        "01": "Hà Nội",
        "02": "Hà Giang",
        "04": "Cao Bằng",
        "06": "Bắc Kạn",
        "08": "Tuyên Quang",
        "10": "Lào Cai",
        "11": "Điện Biên",
        "12": "Lai Châu",
        "14": "Sơn La",
        "15": "Yên Bái",
        "17": "Hòa Bình",
        "19": "Thái Nguyên",
        "20": "Lạng Sơn",
        "22": "Quảng Ninh",
        "24": "Bắc Giang",
        "25": "Phú Thọ",
        "26": "Vĩnh Phúc",
        "27": "Bắc Ninh",
        "30": "Hải Dương",
        "31": "Hải Phòng",
        "33": "Hưng Yên",
        "34": "Thái Bình",
        "35": "Hà Nam",
        "36": "Nam Định",
        "37": "Ninh Bình",
        "38": "Thanh Hóa",
        "40": "Nghệ An",
        "42": "Hà Tĩnh",
        "44": "Quảng Bình",
        "45": "Quảng Trị",
        "46": "Thừa Thiên Huế",
        "48": "Đà Nẵng",
        "49": "Quảng Nam",
        "51": "Quảng Ngãi",
        "52": "Bình Định",
        "54": "Phú Yên",
        "56": "Khánh Hòa",
        "58": "Ninh Thuận",
        "60": "Bình Thuận",
        "62": "Kon Tum",
        "64": "Gia Lai",
        "66": "Đắk Lắk",
        "67": "Đắk Nông",
        "68": "Lâm Đồng",
        "70": "Bình Phước",
        "72": "Tây Ninh",
        "74": "Bình Dương",
        "75": "Đồng Nai",
        "77": "Bà Rịa - Vũng Tàu",
        "79": "Hồ Chí Minh",
        "80": "Long An",
        "82": "Tiền Giang",
        "83": "Bến Tre",
        "84": "Trà Vinh",
        "86": "Vĩnh Long",
        "87": "Đồng Tháp",
        "89": "An Giang",
        "91": "Kiên Giang",
        "92": "Cần Thơ",
        "93": "Hậu Giang",
        "94": "Sóc Trăng",
        "95": "Bạc Liêu",
        "96": "Cà Mau",
    }
)
"""The 63 provinces (tỉnh, thành phố) valid until 2025-06-30."""

PROVINCES_SINCE: Mapping[str, str] = MappingProxyType(
    {
        "01": "Hà Nội",
        "04": "Cao Bằng",
        "08": "Tuyên Quang",
        "11": "Điện Biên",
        "12": "Lai Châu",
        "14": "Sơn La",
        "15": "Lào Cai",
        "19": "Thái Nguyên",
        "20": "Lạng Sơn",
        "22": "Quảng Ninh",
        "24": "Bắc Ninh",
        "25": "Phú Thọ",
        "31": "Hải Phòng",
        "33": "Hưng Yên",
        "37": "Ninh Bình",
        "38": "Thanh Hoá",
        "40": "Nghệ An",
        "42": "Hà Tĩnh",
        "44": "Quảng Trị",
        "46": "Huế",
        "48": "Đà Nẵng",
        "51": "Quảng Ngãi",
        "52": "Gia Lai",
        "56": "Khánh Hoà",
        "66": "Đắk Lắk",
        "68": "Lâm Đồng",
        "75": "Đồng Nai",
        "79": "Hồ Chí Minh",
        "80": "Tây Ninh",
        "82": "Đồng Tháp",
        "86": "Vĩnh Long",
        "91": "An Giang",
        "92": "Cần Thơ",
        "96": "Cà Mau",
    }
)
"""The 34 provinces valid from 2025-07-01."""

_ABSORBED = {
    "08": ("02",),
    "15": ("10",),
    "19": ("06",),
    "24": ("27",),
    "25": ("17", "26"),
    "31": ("30",),
    "33": ("34",),
    "37": ("35", "36"),
    "44": ("45",),
    "48": ("49",),
    "51": ("62",),
    "52": ("64",),
    "56": ("58",),
    "66": ("54",),
    "68": ("60", "67"),
    "75": ("70",),
    "79": ("74", "77"),
    "80": ("72",),
    "82": ("87",),
    "86": ("83", "84"),
    "91": ("89",),
    "92": ("93", "94"),
    "96": ("95",),
}

MERGED_INTO: Mapping[str, str] = MappingProxyType(
    {old: new for new in PROVINCES_SINCE for old in (new, *_ABSORBED.get(new, ()))}
)
"""Each of the 63 old codes and the one of the 34 that its whole area belongs to since."""


def provinces_on(day: date) -> Mapping[str, str]:
    """The provinces valid on `day`, code to Vietnamese name."""
    return PROVINCES_SINCE if day >= MERGER else PROVINCES_BEFORE


def province_name(code: str, day: date) -> str | None:
    """The name that `code` had on `day`, or None when no province had it then."""
    return provinces_on(day).get(code)
