"""People, households and their civil status records, as every sandbox registry knows them.

Text is what a registry sends, byte for byte: mostly NFC, in places decomposed, blank, with spaces at its ends or with
mark-up characters. None means that the source has no value (element missing or nil), "" that it sends empty text.
People are referred to by their index in the world (0 up to the number of people).
"""

from dataclasses import dataclass
from datetime import date, time
from typing import Literal

from schemas.codes.persons import BloodGroup, MaritalStatus, Sex

REFERENCE_DAY = date(2026, 1, 1)
"""Today, as far as the population is concerned; ages, validity and statuses are as of this day."""

Relation = Literal["head", "spouse", "child", "father", "mother", "relative"]
Ending = Literal["divorce", "death"]


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date of which the month or the day may be unknown (day is None whenever month is)."""

    year: int
    month: int | None = None
    day: int | None = None

    @property
    def text(self) -> str:
        """YYYY, YYYY-MM or YYYY-MM-DD."""
        return "-".join(
            f"{part:0{width}d}" for part, width in ((self.year, 4), (self.month, 2), (self.day, 2)) if part is not None
        )

    @property
    def earliest(self) -> date:
        """The first day it can mean."""
        return date(self.year, self.month or 1, self.day or 1)


@dataclass(frozen=True, slots=True)
class Place:
    """A commune (xã) of one time.

    `province` 2 digits; `district` 3 digits and `district_name` before 2025-07-01, None since; `commune` 5 digits;
    `province_name` without its kind, `commune_name` with it; `current` whether the codes are those since 2025-07-01.
    """

    province: str
    province_name: str
    district: str | None
    district_name: str | None
    commune: str
    commune_name: str
    current: bool


@dataclass(frozen=True, slots=True)
class Address:
    """Where something is: `place` (None abroad), `detail` house, street or village, `country` ISO 3166, VN mostly."""

    place: Place | None
    detail: str | None
    country: str = "VN"

    @property
    def text(self) -> str:
        """One line as written by hand: detail, commune, district of before 2025-07, province; country when abroad."""
        if self.place is None:
            return ", ".join(part for part in (self.detail, self.country) if part)
        place = self.place
        parts = (self.detail, place.commune_name, place.district_name, place.province_name)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Relative:
    """A parent, spouse or representative as written beside a person.

    `index` is the person's index when that relative is part of this world, None for somebody only known by name.
    Names and numbers equal those of the person then. `sex` and `nationality` (ISO 3166) of the relative.
    """

    index: int | None
    full_name: str
    personal_id: str | None
    old_id_card: str | None
    sex: Sex
    birth: PartialDate | None
    ethnicity: str | None
    nationality: str = "VN"


@dataclass(frozen=True, slots=True)
class FormerName:
    """A name borne until the change was registered: the whole name, the day of the change and the decision's number."""

    full_name: str
    changed_on: date
    decision: str


@dataclass(frozen=True, slots=True)
class Death:
    """That a person died: day, time of day when known, place as text, cause (None or "" when not stated)."""

    day: date
    at: time | None
    place: str
    cause: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """A person (công dân) of the population database.

    index             position in the world, 0-based
    personal_id       12 digits (số định danh cá nhân); None for the few known only by an old identity card
    old_id_card       9 digits (số CMND), None for the young
    surname, middle, given   họ, chữ đệm (may be ""), tên
    other_name        tên gọi khác: None, "" or a name
    former_names      oldest first; () for most
    sex               male or female
    birth             full for most, year and month or year alone for some
    birth_place       nơi đăng ký khai sinh, codes of the time; `place` None for those born abroad
    hometown          quê quán
    permanent, current   thường trú (of the household, or of the deceased's last one), nơi ở hiện tại; some
                      addresses have been rewritten to the codes since July 2025, others not yet
    ethnicity         2-digit code or None; religion 2-digit code, "00" none, or None; nationality ISO 3166
    marital           single, married, divorced or widowed
    blood_group       A, B, AB, O or None
    father, mother, spouse   None when not stated; spouse is the present one (for the widowed: None)
    representative    of minors and a few others, else None
    household         number of the household (số sổ hộ khẩu); None for the deceased
    relation          to the head of the household; None for the deceased
    death             None while alive
    note              ghi chú: None, "" or text
    updated_on        day of the data (thời điểm dữ liệu)
    """

    index: int
    personal_id: str | None
    old_id_card: str | None
    surname: str
    middle: str
    given: str
    other_name: str | None
    former_names: tuple[FormerName, ...]
    sex: Sex
    birth: PartialDate
    birth_place: Address
    hometown: Address
    permanent: Address
    current: Address
    ethnicity: str | None
    religion: str | None
    nationality: str
    marital: MaritalStatus
    blood_group: BloodGroup | None
    father: Relative | None
    mother: Relative | None
    spouse: Relative | None
    representative: Relative | None
    household: str | None
    relation: Relation | None
    death: Death | None
    note: str | None
    updated_on: date

    @property
    def full_name(self) -> str:
        """Surname, middle and given name with single spaces between, as the registries keep it."""
        return " ".join(part for part in (self.surname, self.middle, self.given) if part)


@dataclass(frozen=True, slots=True)
class Household:
    """A household (hộ gia đình): its number of 9 digits, head, living members (head first) and common address."""

    number: str
    head: int
    members: tuple[tuple[int, Relation], ...]
    address: Address


@dataclass(frozen=True, slots=True)
class Entry:
    """Where and by whom a civil status event was registered (one line of a civil status book).

    `number` (số), `book` (quyển số, for example 01/2019), `page` (trang, None when not kept), `registered_on`,
    `office` (nơi đăng ký), `kind` 1 in time, 2 late, 3 again; `signer`, `signer_title`, `clerk` (người thực hiện),
    `note` (None, "" or text).
    """

    number: str
    book: str
    page: str | None
    registered_on: date
    office: str
    kind: Literal["1", "2", "3"]
    signer: str
    signer_title: str
    clerk: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent as written in a birth record: who, and where living then (`residence` None when not stated)."""

    who: Relative
    residence: Address | None


@dataclass(frozen=True, slots=True)
class BirthRecord:
    """A registered birth (khai sinh).

    `child` index; `full_name` the name given at birth (an earlier one than now after a change of name); `birth`;
    `birth_words` the date in Vietnamese words; `birth_place`, `hometown`; `ethnicity` 2 digits or None;
    `declarant` who declared it and `declarant_relation` (quan hệ, Vietnamese text).
    """

    entry: Entry
    child: int
    full_name: str
    sex: Sex
    birth: PartialDate
    birth_words: str
    birth_place: Address
    hometown: Address
    ethnicity: str | None
    nationality: str
    father: Parent | None
    mother: Parent | None
    declarant: Relative | None
    declarant_relation: str | None


@dataclass(frozen=True, slots=True)
class MarriageRecord:
    """A registered marriage (kết hôn): the couple, when it took effect, which marriage it is for each, how it ended.

    `ended_on` and `ending` are None while it lasts; `ending_document` names the court's decision after a divorce.
    """

    entry: Entry
    husband: Relative
    wife: Relative
    effective_on: date
    husband_count: int
    wife_count: int
    ended_on: date | None
    ending: Ending | None
    ending_document: str | None


@dataclass(frozen=True, slots=True)
class DeathRecord:
    """A registered death (khai tử): who, the death, and the notice it rests on (giấy báo tử)."""

    entry: Entry
    deceased: int
    full_name: str
    death: Death
    notice_number: str | None
    notice_on: date | None
    notice_issuer: str | None
    declarant: Relative | None


@dataclass(frozen=True, slots=True)
class MaritalState:
    """The marital status of one person as the civil status books tell it.

    `since` the day of the marriage, divorce or spouse's death, None for the single; `marriage` the latest marriage.
    """

    person: int
    status: MaritalStatus
    since: date | None
    marriage: MarriageRecord | None
