"""Vietnamese personal names, streets and words for dates."""

from sandbox.world.chance import Dice
from sandbox.world.model import PartialDate
from schemas.codes.persons import Sex

_SURNAMES = (
    *("Nguyễn",) * 38,
    *("Trần",) * 11,
    *("Lê",) * 10,
    *("Phạm",) * 7,
    *("Hoàng", "Huỳnh", "Phan", "Vũ", "Võ") * 3,
    *("Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương") * 2,
    *("Lý", "Đinh", "Trương", "Lương", "Mai", "Tô", "Hà", "Cao", "Châu", "Tạ", "Quách", "Thạch", "Kiều", "Ông"),
)
_MIDDLE = {
    "male": (
        "Văn",
        "Văn",
        "Văn",
        "Đức",
        "Minh",
        "Quốc",
        "Hữu",
        "Công",
        "Xuân",
        "Thành",
        "Gia",
        "Ngọc",
        "Đình",
        "Bá",
        "",
    ),
    "female": (
        "Thị",
        "Thị",
        "Thị",
        "Thị",
        "Thị Thu",
        "Thị Ngọc",
        "Thị Mỹ",
        "Ngọc",
        "Thanh",
        "Phương",
        "Thuỳ",
        "Kim",
        "",
    ),
}
_GIVEN = {
    "male": [
        "An",
        "Anh",
        "Bảo",
        "Bình",
        "Cường",
        "Dũng",
        "Dương",
        "Đạt",
        "Đông",
        "Đức",
        "Giang",
        "Hải",
        "Hào",
        "Hiếu",
        "Hòa",
        "Hoàng",
        "Hùng",
        "Hưng",
        "Huy",
        "Khánh",
        "Khoa",
        "Kiên",
        "Lâm",
        "Long",
        "Lộc",
        "Mạnh",
        "Minh",
        "Nam",
        "Nghĩa",
        "Nhân",
        "Phong",
        "Phúc",
        "Phước",
        "Quân",
        "Quang",
        "Quý",
        "Sơn",
        "Tài",
        "Tâm",
        "Thắng",
        "Thành",
        "Thịnh",
        "Tiến",
        "Toàn",
        "Trí",
        "Trung",
        "Tuấn",
        "Tùng",
        "Việt",
        "Vinh",
    ],
    "female": [
        "Ái",
        "An",
        "Anh",
        "Ánh",
        "Bích",
        "Chi",
        "Cúc",
        "Diễm",
        "Dung",
        "Duyên",
        "Đào",
        "Giang",
        "Hà",
        "Hạnh",
        "Hằng",
        "Hiền",
        "Hoa",
        "Hồng",
        "Huệ",
        "Hương",
        "Huyền",
        "Khánh",
        "Lan",
        "Liên",
        "Linh",
        "Loan",
        "Ly",
        "Mai",
        "My",
        "Nga",
        "Ngân",
        "Ngọc",
        "Nguyệt",
        "Nhung",
        "Oanh",
        "Phượng",
        "Quyên",
        "Quỳnh",
        "Tâm",
        "Thảo",
        "Thắm",
        "Thu",
        "Thủy",
        "Trang",
        "Trinh",
        "Tuyết",
        "Uyên",
        "Vân",
        "Xuân",
        "Yến",
    ],
}
_STREETS = [
    "Trần Phú",
    "Lê Lợi",
    "Nguyễn Huệ",
    "Hai Bà Trưng",
    "Lý Thường Kiệt",
    "Điện Biên Phủ",
    "Quang Trung",
    "Phan Chu Trinh",
    "Nguyễn Trãi",
    "Võ Thị Sáu",
    "Hùng Vương",
    "Ngô Quyền",
    "Bạch Đằng",
    "Đinh Tiên Hoàng",
    "Cách Mạng Tháng Tám",
]


def surname(dice: Dice) -> str:
    """A family name (họ), as often as they are borne."""
    return dice.pick(_SURNAMES)


def personal_name(dice: Dice, sex: Sex) -> tuple[str, str]:
    """Middle name (chữ đệm, may be empty) and given name (tên)."""
    kind = "male" if sex == "male" else "female"
    return dice.pick(_MIDDLE[kind]), dice.pick(_GIVEN[kind])


def full_name(dice: Dice, sex: Sex) -> str:
    """A whole name of somebody outside this world."""
    middle, given = personal_name(dice, sex)
    return " ".join(part for part in (surname(dice), middle, given) if part)


def detail(dice: Dice) -> str:
    """House and street, or village, as the part of an address below the commune."""
    number = dice.number(1, 400)
    return dice.pick(
        (
            f"Số {number} đường {dice.pick(_STREETS)}",
            f"{number}/{dice.number(1, 60)} {dice.pick(_STREETS)}",
            f"Thôn {dice.number(1, 12)}",
            f"Tổ {dice.number(1, 40)}, khu phố {dice.number(1, 9)}",
            f"Ngõ {number}, ấp {dice.pick(('Đông', 'Tây', 'Trung', 'Thượng'))}",
        )
    )


_ONES = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")


def number_words(number: int) -> str:
    """A number from 0 to 9999 in Vietnamese words, zeros inside spoken: 2005 is hai nghìn không trăm linh năm."""
    thousands, rest = divmod(number, 1000)
    hundreds, below = divmod(rest, 100)
    words = [f"{_ONES[thousands]} nghìn"] if thousands else []
    if hundreds or (thousands and below):
        words.append(f"{_ONES[hundreds]} trăm")
    tens, ones = divmod(below, 10)
    if tens == 0 and ones and words:
        words.append(f"linh {_ONES[ones]}")
    elif tens == 0:
        words.extend([_ONES[ones]] if ones or not words else [])
    else:
        words.append("mười" if tens == 1 else f"{_ONES[tens]} mươi")
        if ones:
            words.append("lăm" if ones == 5 else "mốt" if ones == 1 and tens > 1 else _ONES[ones])
    return " ".join(words)


def date_words(day: PartialDate) -> str:
    """A date in Vietnamese words, as birth records repeat it; parts that are not known are left out."""
    parts = [f"năm {number_words(day.year)}"]
    if day.month is not None:
        parts.insert(0, f"tháng {number_words(day.month)}")
    if day.day is not None:
        parts.insert(0, f"ngày {number_words(day.day)}")
    words = ", ".join(parts)
    return words[0].upper() + words[1:]
