"""Insurance, business, tax and land: what the people of the world have, as the registries keep it.

The same conventions as in `model`: None is absent, "" is empty text, people are referred to by index. Amounts and
areas are decimal text exactly as sent, trailing zeros included.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from sandbox.world.model import Address, PartialDate, Place
from schemas.codes.persons import Sex
from schemas.identifiers import ParcelKey

InsuranceStatus = Literal["participating", "paused", "retired", "ended"]
EnterpriseType = Literal["single-member-llc", "multi-member-llc", "joint-stock", "private"]
DossierStatus = Literal["processing", "supplement", "approved", "refused"]
EnterpriseStatus = Literal["active", "suspended", "dissolving", "dissolved", "bankrupt"]


@dataclass(frozen=True, slots=True)
class HealthInsuranceCard:
    """A health insurance card (thẻ BHYT).

    `code` 15 characters (object group 2, benefit 1, province 2, insurance number 10); `prints_number_only` for newer
    cards that show the last 10 digits; valid from and to, inclusive; `hospital` code of the first place of treatment
    (mã cơ sở KCB ban đầu) and its name; `result` the gateway's code for a look-up with right name and birth date:
    000 good, 003 replaced by `replaced_by`, 010 expired, 110 revoked.
    """

    code: str
    prints_number_only: bool
    valid_from: date
    valid_to: date
    hospital: str
    hospital_name: str
    five_years_on: date | None
    result: Literal["000", "003", "010", "110"]
    replaced_by: str | None


@dataclass(frozen=True, slots=True)
class Insurance:
    """A participant of social insurance (người tham gia BHXH).

    `number` 10 digits; `old_book` (số sổ cũ) None, "" or text; `person` index; `household_code` (mã hộ gia đình) of
    10 digits; `residence` where the household is registered; `birth_registration` the place codes kept with the number
    (mã tỉnh, huyện, xã khai sinh; place None when born abroad); `card` None for those without health insurance.
    Name, sex and birth are those of the person.
    """

    number: str
    old_book: str | None
    person: int
    status: InsuranceStatus
    household_code: str | None
    residence: Address
    birth_registration: Address
    card: HealthInsuranceCard | None


@dataclass(frozen=True, slots=True)
class Activity:
    """A business line: code of the national list (VSIC, 4 digits, leading zeros count), name, and whether the main."""

    code: str
    name: str
    main: bool


@dataclass(frozen=True, slots=True)
class Member:
    """An owner of an enterprise: `person` index or None for others, name, amount in VND, share in percent, country."""

    person: int | None
    name: str
    amount: str
    percent: str
    country: str


@dataclass(frozen=True, slots=True)
class Representative:
    """A legal representative (người đại diện theo pháp luật), always a person of the world.

    `document` is the personal number or, for those without, the old identity card; `position` Vietnamese text.
    """

    person: int
    full_name: str
    sex: Sex
    birth: PartialDate
    document: str
    document_issued_on: date | None
    nationality: str
    position: str


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """An address by the enterprise registry's own numbers, which are not the codes of the statistics office.

    `district_id` is the district of before July 2025 where the registry still keeps one; `ward_id` is None for a few;
    `full_text` the whole line.
    """

    city_id: int
    district_id: int | None
    ward_id: int | None
    street: str | None
    full_text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch (chi nhánh) of an enterprise: `code` 13 digits written NNNNNNNNNN-NNN, name, founding day, status."""

    code: str
    name: str
    founded_on: date
    status: EnterpriseStatus
    address: RegistryAddress
    head: Representative


@dataclass(frozen=True, slots=True)
class Registration:
    """The latest registration dossier of an enterprise (hồ sơ đăng ký).

    `journal_no` its running number; `status` processing, supplement, approved or refused; `decided_on` None until then.
    """

    journal_no: str
    kind: Literal["new", "amendment"]
    received_on: date
    status: DossierStatus
    decided_on: date | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Enterprise:
    """An enterprise (doanh nghiệp).

    `internal_id` and `internal_code` are the registry's own; `code` has 10 digits with a right check digit; `name`,
    `foreign_name`, `short_name` (the latter two None or "" for some); `amended_on` and `amendments` count changes;
    `capital` in VND as decimal text; one to three representatives; `branches` may be ().
    """

    internal_id: int
    internal_code: str
    code: str
    name: str
    foreign_name: str | None
    short_name: str | None
    type: EnterpriseType
    status: EnterpriseStatus
    founded_on: date
    amended_on: date | None
    amendments: int
    capital: str
    address: RegistryAddress
    activities: tuple[Activity, ...]
    members: tuple[Member, ...]
    representatives: tuple[Representative, ...]
    branches: tuple[Branch, ...]
    registration: Registration


@dataclass(frozen=True, slots=True)
class Obligation:
    """What a taxpayer owed for one period (nghĩa vụ thuế).

    `period` YYYY, YYYY-Qn or YYYY-MM; `item` the 4-digit budget item (tiểu mục) and `title` its name; amounts in VND
    as decimal text; outstanding = assessed + penalty - paid, and may be negative when too much was paid.
    """

    period: str
    item: str
    title: str
    due_on: date
    assessed: str
    paid: str
    penalty: str
    outstanding: str


@dataclass(frozen=True, slots=True)
class Taxpayer:
    """A taxpayer (người nộp thuế).

    `code` 10 digits for an enterprise, 13 (NNNNNNNNNN-NNN) for a branch, 12 (the personal number) for a person or
    household business; `kind` says which; `type_code` LoaiNNT; `status` two digits of the national catalogue;
    `person` index for the 12-digit ones; `authority` code and name of the tax office; `parent` the enterprise of a
    branch; `closed_on` None while in force; `business_name` of a household business.
    """

    code: str
    kind: Literal["enterprise", "branch", "person", "household-business"]
    type_code: str
    name: str
    business_name: str | None
    person: int | None
    parent: str | None
    status: str
    authority: str
    authority_name: str
    registered_on: date
    closed_on: date | None
    address: Address
    obligations: tuple[Obligation, ...]


@dataclass(frozen=True, slots=True)
class Purpose:
    """Part of a parcel used for one purpose: its sign (ký hiệu), area in m2 and until when (None: lasting)."""

    sign: str
    area: str
    until: date | None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a parcel: a person by index or an enterprise by code (the other is None), name and share text."""

    person: int | None
    enterprise: str | None
    name: str
    document: str | None
    share: str | None


@dataclass(frozen=True, slots=True)
class LandCertificate:
    """A certificate of land use rights (giấy chứng nhận).

    `serial` (số phát hành) two letters, space, 6 or 8 digits; `entry` (số vào sổ) None or text; `barcode` (mã vạch)
    None, "" or digits; `issuer` text; `status` valid, mortgaged or revoked.
    """

    serial: str
    entry: str | None
    barcode: str | None
    issued_on: date
    issuer: str
    status: Literal["valid", "mortgaged", "revoked"]
    parcel: ParcelKey


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel of land (thửa đất).

    `key` commune code since 2025-07-01, sheet and number, possibly with leading zeros; `old_key` those of before
    (always another commune time; None for parcels measured since); `area` and `legal_area` (None for some) in m2 with
    trailing zeros; `address` in present codes; `certificate` None when none was issued.
    """

    key: ParcelKey
    old_key: ParcelKey | None
    place: Place
    old_place: Place | None
    area: str
    legal_area: str | None
    purposes: tuple[Purpose, ...]
    owners: tuple[Owner, ...]
    address: Address
    certificate: LandCertificate | None
    note: str | None
