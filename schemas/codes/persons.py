"""The gateway's vocabulary for what describes a person, in English slugs with Vietnamese titles.

Sources number sex, marital status and the like differently (the population database 0/1/2, social insurance 1/2/3);
each database maps its own numbers to these. Ethnicities keep the two-digit national code (Decision 121-TCTK/PPCD 1979).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Sex = Literal["male", "female", "other"]
MaritalStatus = Literal["single", "married", "divorced", "widowed"]
BloodGroup = Literal["A", "B", "AB", "O"]

SEXES: Mapping[Sex, str] = MappingProxyType({"male": "Nam", "female": "Nữ", "other": "Khác"})

MARITAL_STATUSES: Mapping[MaritalStatus, str] = MappingProxyType(
    {
        "single": "Chưa kết hôn",
        "married": "Đang có vợ/chồng",
        "divorced": "Đã ly hôn",
        "widowed": "Góa",
    }
)

ETHNICITIES: Mapping[str, str] = MappingProxyType(
    {
        "01": "Kinh",
        "02": "Tày",
        "03": "Thái",
        "04": "Hoa",
        "05": "Khmer",
        "06": "Mường",
        "07": "Nùng",
        "08": "Mông",
        "09": "Dao",
        "10": "Gia Rai",
        "11": "Ngái",
        "12": "Ê Đê",
        "13": "Ba Na",
        "14": "Xơ Đăng",
        "15": "Sán Chay",
        "16": "Cơ Ho",
        "17": "Chăm",
        "18": "Sán Dìu",
        "19": "Hrê",
        "20": "Mnông",
        "21": "Ra Glai",
        "22": "Xtiêng",
        "23": "Bru - Vân Kiều",
        "24": "Thổ",
        "25": "Giáy",
        "26": "Cơ Tu",
        "27": "Gié Triêng",
        "28": "Mạ",
        "29": "Khơ Mú",
        "30": "Co",
        "31": "Tà Ôi",
        "32": "Chơ Ro",
        "33": "Kháng",
        "34": "Xinh Mun",
        "35": "Hà Nhì",
        "36": "Chu Ru",
        "37": "Lào",
        "38": "La Chí",
        "39": "La Ha",
        "40": "Phù Lá",
        "41": "La Hủ",
        "42": "Lự",
        "43": "Lô Lô",
        "44": "Chứt",
        "45": "Mảng",
        "46": "Pà Thẻn",
        "47": "Cơ Lao",
        "48": "Cống",
        "49": "Bố Y",
        "50": "Si La",
        "51": "Pu Péo",
        "52": "Brâu",
        "53": "Ơ Đu",
        "54": "Rơ Măm",
    }
)
"""The 54 ethnicities (dân tộc): national code to Vietnamese name."""

NATIONALITIES: Mapping[str, str] = MappingProxyType(
    {
        "VN": "Việt Nam",
        "CN": "Trung Quốc",
        "FR": "Pháp",
        "JP": "Nhật Bản",
        "KH": "Campuchia",
        "KR": "Hàn Quốc",
        "LA": "Lào",
        "US": "Hoa Kỳ",
    }
)
"""Nationalities (quốc tịch) by ISO 3166 code: those of the sandbox; others pass with their code and no title."""
