"""Questions and answers of social and health insurance (bảo hiểm xã hội, bảo hiểm y tế).

Names at the source: participant, number and household as in the NGSP service `apiBHXH`; the health card as in the
hospital gateway (cổng giám định) `KQNhanLichSuKCB2024`. The meaning of `trangThai` is published nowhere and is this
profile's own.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, StringConstraints, WithJsonSchema, model_validator

from schemas.fields import Plain, Question, Record, said
from schemas.forms import DAY_MONTH_YEAR, Form, Unmapped, codes, dates, partial_date
from schemas.identifiers import (
    HOUSEHOLD,
    CommuneCode,
    HealthCard,
    PersonalId,
    ProvinceCode,
    SocialInsuranceNumber,
    Subject,
)
from schemas.values import PartialDate

InsuranceNumber = Annotated[str, Subject("social-insurance-number")]
CardNumber = Annotated[str, Subject("health-card")]
DistrictCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{3}$")]


def _no_month_alone(value: str) -> str:
    if len(value) == 7:
        raise ValueError("the hospital gateway takes a whole day or a year alone")
    return value


YearOrDay = Annotated[
    PartialDate,
    AfterValidator(_no_month_alone),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$"}),
]

Sex = Literal["male", "female", "other"]
Status = Literal["participating", "paused", "retired", "ended"]
AddressKind = Literal["birth-registration", "household"]
CardStatus = Literal["valid", "replaced", "expired", "revoked", "reduced"]

SEXES: Final = codes({"1": "male", "2": "female", "3": "other"})
STATUSES: Final = codes({"1": "participating", "2": "paused", "3": "retired", "4": "ended"})
ADDRESS_KINDS: Final = codes({"1": "birth-registration", "0": "household"})
CARD_SEXES: Final = codes({"Nam": "male", "Nữ": "female", "1": "male", "2": "female"})
CARD_DATE: Final = dates("dd/MM/yyyy", "yyyy")
CARD_STATUSES: Final = codes(
    {
        "000": "valid",
        "003": "replaced",
        "010": "expired",
        "110": "revoked",
        "120": "reduced",
        "121": "reduced",
        "122": "reduced",
        "123": "reduced",
        "124": "reduced",
    }
)
"""Result codes (maKetQua) that come with a card; the others say that there is no answer and become errors."""

_DIGITS_KNOWN: Final = {"0": 8, "1": 4, "2": 6}
_KIND_BY_PARTS: Final = {3: "0", 1: "1", 2: "2"}


def _read_birth(text: str | None, kind: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    wanted = _DIGITS_KNOWN.get(kind or "0") if kind is None or kind.strip() else _DIGITS_KNOWN["0"]
    if wanted is None:
        raise Unmapped(kind or "")
    # A source that knows only the year may still send eight digits, the rest made up: loaiNgaySinh decides.
    known = text[:wanted]
    if not (text.isascii() and text.isdigit()) or len(text) not in (4, 6, 8) or len(known) < wanted:
        raise Unmapped(text, "unreadable-value")
    try:
        return partial_date(*filter(None, (known[:4], known[4:6], known[6:8])))
    except ValueError:
        raise Unmapped(text, "unreadable-value") from None


def _write_birth(value: str) -> tuple[str | None, ...]:
    parts = value.split("-")
    return "".join(parts), _KIND_BY_PARTS[len(parts)]


BIRTH: Final = Form(_read_birth, _write_birth, arity=2)
"""ngaySinh yyyyMMdd with loaiNgaySinh 0 the whole date, 1 only the year, 2 only year and month."""

_BIRTH_PATHS: Final = ("ngaySinh", "loaiNgaySinh")


class ParticipantQuestion(Question):
    """Which insured person: by social insurance number (mã số BHXH)."""

    number: SocialInsuranceNumber = said(
        "Mã số BHXH", "Social insurance number, 10 digits", "maSoBhxh", required=True, examples=["7912345678"]
    )


class Participant(Record):
    """One insured person (người tham gia BHXH)."""

    full_name: str | None = said("Họ và tên", "Full name", "hoTen")
    old_book_number: Annotated[str, HOUSEHOLD] | None = said(
        "Số sổ BHXH cũ", "Number of the old insurance book", "soSoCu"
    )
    birth_date: PartialDate | None = said("Ngày sinh", "Date of birth, as far as known", _BIRTH_PATHS, BIRTH)
    sex: Sex | None = said("Giới tính", "Sex: male, female or other", "gioiTinh", SEXES)
    birth_province: str | None = said("Mã tỉnh khai sinh", "Province of birth registration", "maTinhKs")
    birth_district: str | None = said("Mã huyện khai sinh", "District of birth registration", "maHuyenKs")
    birth_commune: str | None = said("Mã xã khai sinh", "Commune of birth registration", "maXaKs")
    status: Status | None = said(
        "Trạng thái tham gia", "Status: participating, paused, retired or ended", "trangThai", STATUSES
    )


class FindNumberQuestion(Question):
    """Whose number: by name, birth, sex and place (tra cứu mã số theo tiêu chí)."""

    full_name: Plain = said("Họ và tên", "Full name", "hoTen", required=True, examples=["Nguyễn Văn An"])
    birth_date: PartialDate = said(
        "Ngày sinh", "Date of birth, as far as known", _BIRTH_PATHS, BIRTH, required=True, examples=["1985-04-12"]
    )
    sex: Sex = said("Giới tính", "Sex", "gioiTinh", SEXES, required=True)
    province: ProvinceCode = said("Mã tỉnh", "Province code", "maTinhKs", required=True, examples=["79"])
    district: DistrictCode | None = said("Mã huyện", "District code of before July 2025, 3 digits", "maHuyenKs")
    commune: CommuneCode | None = said("Mã xã", "Commune code", "maXaKs")
    address_kind: AddressKind = said(
        "Loại địa chỉ", "Which address the codes are of", "isKs", ADDRESS_KINDS, required=True
    )


class FoundNumber(Record):
    """The number of the one person who matches (mã số BHXH tìm thấy)."""

    number: InsuranceNumber | None = said("Mã số BHXH", "Social insurance number", "maSoBhxh")
    status: Status | None = said(
        "Trạng thái tham gia", "Status: participating, paused, retired or ended", "trangThai", STATUSES
    )


class HouseholdQuestion(Question):
    """Whose household entry: by name, birth, sex and province (tra cứu thông tin hộ gia đình)."""

    province: ProvinceCode = said("Mã tỉnh", "Province code", "maTinh", required=True, examples=["79"])
    full_name: Plain = said("Họ và tên", "Full name", "hoTen", required=True, examples=["Nguyễn Văn An"])
    birth_date: PartialDate = said(
        "Ngày sinh", "Date of birth, as far as known", _BIRTH_PATHS, BIRTH, required=True, examples=["1985-04-12"]
    )
    sex: Sex = said("Giới tính", "Sex", "gioiTinh", SEXES, required=True)
    book_number: Annotated[Plain, HOUSEHOLD] | None = said("Số sổ BHXH", "Number of the insurance book", "soSo")
    card_number: HealthCard | None = said("Mã thẻ BHYT", "Health card number", "maThe")
    address_kind: AddressKind = said(
        "Loại địa chỉ", "Which address the province is of", "isKs", ADDRESS_KINDS, required=True
    )


class HouseholdEntry(Record):
    """An insured person as entered with a household (thông tin theo hộ gia đình)."""

    number: InsuranceNumber | None = said("Mã số BHXH", "Social insurance number", "maSo")
    full_name: str | None = said("Họ và tên", "Full name", "hoTen")
    birth_date: PartialDate | None = said("Ngày sinh", "Date of birth, as far as known", _BIRTH_PATHS, BIRTH)
    sex: Sex | None = said("Giới tính", "Sex: male, female or other", "gioiTinh", SEXES)
    household_code: Annotated[str, HOUSEHOLD] | None = said("Mã hộ gia đình", "Code of the household", "maHo")
    address: str | None = said("Địa chỉ", "Address of the household", "diaChi")
    status: Status | None = said(
        "Trạng thái tham gia", "Status: participating, paused, retired or ended", "trangThai", STATUSES
    )


class HealthCardQuestion(Question):
    """Whose card: by card number or personal number, with name and birth (tra cứu thẻ BHYT)."""

    card_number: HealthCard | None = said(
        "Mã thẻ BHYT", "Health card number; this or `personal_id`", "maThe", examples=["DN4797912345678"]
    )
    personal_id: PersonalId | None = said("Số định danh cá nhân", "Personal number; this or `card_number`", "maThe")
    full_name: Plain = said("Họ và tên", "Full name", "hoTen", required=True, examples=["Nguyễn Văn An"])
    birth_date: YearOrDay = said(
        "Ngày sinh", "Date of birth, or its year", "ngaySinh", CARD_DATE, required=True, examples=["1985-04-12"]
    )

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.card_number is None) == (self.personal_id is None):
            raise ValueError("exactly one of card_number and personal_id is needed")
        return self


class Card(Record):
    """One health insurance card (thẻ BHYT) and how it stands."""

    status: CardStatus | None = said(
        "Tình trạng thẻ", "Status: valid, replaced, expired, revoked or reduced", "maKetQua", CARD_STATUSES
    )
    card_number: CardNumber | None = said("Mã thẻ BHYT", "Card number", "maThe")
    full_name: str | None = said("Họ và tên", "Full name", "hoTen")
    birth_date: PartialDate | None = said("Ngày sinh", "Date of birth, as far as known", "ngaySinh", DAY_MONTH_YEAR)
    sex: Sex | None = said("Giới tính", "Sex: male or female", "gioiTinh", CARD_SEXES)
    address: str | None = said("Địa chỉ", "Address", "diaChi")
    facility_code: str | None = said("Mã nơi đăng ký KCB ban đầu", "Code of the first-care facility", "maDKBD")
    facility_name: str | None = said("Tên nơi đăng ký KCB ban đầu", "Name of the first-care facility", "tenDKBD")
    agency: str | None = said("Cơ quan BHXH", "Issuing insurance agency", "cqBHXH")
    valid_from: PartialDate | None = said("Giá trị từ ngày", "First day of validity", "gtTheTu", CARD_DATE)
    valid_to: PartialDate | None = said("Giá trị đến ngày", "Last day of validity", "gtTheDen", CARD_DATE)
    area: str | None = said("Mã khu vực", "Code of the area of residence", "maKV")
    five_years_on: PartialDate | None = said(
        "Ngày đủ 5 năm liên tục", "Day five continuous years are complete", "ngayDu5Nam", CARD_DATE
    )
    number: InsuranceNumber | None = said("Mã số BHXH", "Social insurance number", "maSoBHXH")
    previous_card_number: CardNumber | None = said("Mã thẻ cũ", "Number of the card before", "maTheCu")
    new_card_number: CardNumber | None = said("Mã thẻ mới", "Number of the card that replaced it", "maTheMoi")
    new_valid_from: PartialDate | None = said(
        "Thẻ mới từ ngày", "First day of the new card's validity", "gtTheTuMoi", CARD_DATE
    )
    new_valid_to: PartialDate | None = said(
        "Thẻ mới đến ngày", "Last day of the new card's validity", "gtTheDenMoi", CARD_DATE
    )
