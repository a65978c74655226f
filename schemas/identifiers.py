"""Identifiers that questions and answers carry: shapes, checks, and what each one identifies.

Every type is text of ASCII characters that must match as a whole: spaces, full-width and Arabic-Indic digits are
refused, nothing is stripped or corrected. Errors are ValueErrors (pydantic reports them per field) whose English text
never repeats the value. What the law allows although it looks wrong is a mismatch to warn of, not an error.
The rules of agency, dossier and procedure codes are in `schemas.codes.agencies`, provinces and communes with the time
of their validity in `schemas.codes.provinces` and `schemas.codes.communes`.
"""

import re
import unicodedata
from dataclasses import dataclass
from operator import mul
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from schemas.codes.agencies import (
    AGENCY_SHAPE,
    DOSSIER_SHAPE,
    PROCEDURE_SHAPE,
    check_agency_code,
    check_dossier_code,
    check_procedure_code,
)
from schemas.codes.provinces import PROVINCES_BEFORE
from schemas.codes.shapes import schema, shaped


@dataclass(frozen=True, slots=True)
class Subject:
    """Metadata of a type: values of it identify a subject of this `kind`; `personal` when that is a natural person.

    The audit trail finds the subjects of an exchange by this mark. Kinds: personal-id, id-card,
    social-insurance-number, health-card, identity-document (of unknown kind), household, tax-code, enterprise, officer.
    """

    kind: str
    personal: bool = True

    def of(self, value: str) -> "Subject":
        """What this very value identifies: a tax code of 12 digits is a personal number, one of 10 or 13 is not; a
        10-digit health card is the insurance number; an officer's account of 9 or 12 digits is an identity number.
        """
        return _NARROWER.get((self.kind, len(value) if _digits(value) else 0), self)


_ENTERPRISE = Subject("enterprise", personal=False)
_PERSONAL_ID = Subject("personal-id")
_ID_CARD = Subject("id-card")
_SOCIAL = Subject("social-insurance-number")
_NARROWER: Final = {
    ("tax-code", 12): _PERSONAL_ID,
    ("health-card", 10): _SOCIAL,
    ("identity-document", 9): _ID_CARD,
    ("identity-document", 12): _PERSONAL_ID,
    ("officer", 9): _ID_CARD,
    ("officer", 12): _PERSONAL_ID,
}

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_WEIGHTS: Final = (31, 29, 23, 19, 17, 13, 7, 5, 3)


def _digits(value: str) -> bool:
    return _DIGITS.fullmatch(value) is not None


# --- persons -----------------------------------------------------------------------------------------------------

_PERSONAL_ID_SHAPE: Final = "[0-9]{12}"
check_personal_id = shaped(_PERSONAL_ID_SHAPE, "a personal identification number has exactly 12 digits")

PersonalId = Annotated[
    str,
    AfterValidator(check_personal_id),
    schema(_PERSONAL_ID_SHAPE, "Personal identification number (số định danh cá nhân)"),
    _PERSONAL_ID,
]
"""12 digits: place of birth registration 3, century and sex 1, year 2, random 6; there is no check digit."""

OldIdCard = Annotated[
    str,
    AfterValidator(shaped("[0-9]{9}", "an old identity card number has exactly 9 digits")),
    schema("[0-9]{9}", "Old identity card number (số CMND)"),
    _ID_CARD,
]
"""9 digits: identity card (chứng minh nhân dân) as issued before the personal number."""


@dataclass(frozen=True, slots=True)
class PersonalIdParts:
    """What a personal number says of its holder.

    `place` three digits (0 and a province code of the 63, or a country); `male`; `year` of birth, four digits.
    """

    place: str
    male: bool
    year: int

    @property
    def province(self) -> str | None:
        """The province code of before July 2025, or None when the place is no province (a country)."""
        code = self.place[1:]
        return code if self.place[0] == "0" and code in PROVINCES_BEFORE else None


def personal_id_parts(value: str) -> PersonalIdParts:
    """Read place, sex and year out of a personal number; raises ValueError unless it has 12 digits."""
    check_personal_id(value)
    century, female = divmod(int(value[3]), 2)
    return PersonalIdParts(place=value[:3], male=not female, year=1900 + 100 * century + int(value[4:6]))


def is_personal_id(text: str) -> bool:
    """Tell whether a text has the shape of a personal number."""
    return len(text) == 12 and _digits(text)


def personal_id_mismatches(personal_id: str, sex: str | None, birth_date: str | None) -> list[str]:
    """Where a personal number disagrees with what else is known of its holder; all of it is lawful, so: warnings.

    `sex` is male, female or other (only the first two can disagree); `birth_date` is YYYY, YYYY-MM or YYYY-MM-DD.
    Codes: personal-id-sex, personal-id-year (a birth date corrected later), personal-id-place (no province of the 63).
    Raises ValueError unless the number has 12 digits.
    """
    parts = personal_id_parts(personal_id)
    found = []
    if sex in ("male", "female") and (sex == "male") != parts.male:
        found.append("personal-id-sex")
    if birth_date and birth_date[:4] != f"{parts.year:04d}":
        found.append("personal-id-year")
    if parts.province is None:
        found.append("personal-id-place")
    return found


# --- enterprises and tax -----------------------------------------------------------------------------------------


def check_digit(nine: str) -> str | None:
    """The tenth digit of an enterprise or tax code from its first nine, or None when no code has these nine.

    10 - (sum of digit * weight mod 11), weights 31 29 23 19 17 13 7 5 3; a result of 10 is never issued.
    """
    if len(nine) != len(_WEIGHTS):
        raise ValueError("a check digit is made of nine digits")
    rest = sum(map(mul, map(int, nine), _WEIGHTS)) % 11
    return str(10 - rest) if rest else None


_ENTERPRISE_SHAPE: Final = "[0-9]{10}(-?[0-9]{3})?"
_TAX_SHAPE: Final = "([0-9]{10}(-?[0-9]{3})?|[0-9]{12})"
_enterprise_shaped = shaped(
    _ENTERPRISE_SHAPE, "an enterprise code has 10 digits, for a branch followed by 3 more, with or without a dash"
)
_tax_shaped = shaped(_TAX_SHAPE, "a tax code has 10 digits, 13 for a branch (dash allowed) or 12 for a person")


def check_enterprise_code(value: str) -> str:
    """Accept a code of 10 digits with a right check digit, or of 13 whose last three are a branch 001-999.

    Raises ValueError otherwise. The branch digits do not take part in the check digit.
    """
    return _check_digits(_enterprise_shaped(value))


def _check_digits(value: str) -> str:
    if check_digit(value[:9]) != value[9]:
        raise ValueError("the check digit of the code is wrong")
    if len(value) > 10 and value.endswith("000"):
        raise ValueError("branches are numbered from 001")
    return value


def check_tax_code(value: str) -> str:
    """Accept the three shapes of a tax code: enterprise 10, branch 13, and since 2025-07-01 a personal number of 12.

    Raises ValueError otherwise (Circular 86/2024 makes the personal number the tax code of persons and household
    businesses).
    """
    return value if len(_tax_shaped(value)) == 12 else _check_digits(value)


EnterpriseCode = Annotated[
    str,
    AfterValidator(check_enterprise_code),
    schema(_ENTERPRISE_SHAPE, "Enterprise code (mã số doanh nghiệp)"),
    _ENTERPRISE,
]
TaxCode = Annotated[
    str,
    AfterValidator(check_tax_code),
    schema(_TAX_SHAPE, "Tax code (mã số thuế)"),
    Subject("tax-code"),
]

# --- insurance ---------------------------------------------------------------------------------------------------

SocialInsuranceNumber = Annotated[
    str,
    AfterValidator(shaped("[0-9]{10}", "a social insurance number has exactly 10 digits")),
    schema("[0-9]{10}", "Social insurance number (mã số BHXH)"),
    _SOCIAL,
]

_CARD_SHAPE: Final = "([A-Z]{2}[1-5][0-9]{12}|[0-9]{10})"
HealthCard = Annotated[
    str,
    AfterValidator(
        shaped(_CARD_SHAPE, "a health card has 2 letters, a benefit level 1-5 and 12 digits, or only 10 digits")
    ),
    schema(_CARD_SHAPE, "Health insurance card (mã thẻ BHYT)"),
    Subject("health-card"),
]
"""15 characters: object group 2, benefit level 1, province 2, insurance number 10; newer cards print the last 10."""

# --- land --------------------------------------------------------------------------------------------------------

_LAND_NUMBER: Final = "[0-9A-Z][0-9A-Z./-]{0,9}"
SheetNumber = Annotated[
    str,
    AfterValidator(shaped(_LAND_NUMBER, "a map sheet number has 1 to 10 digits or capital letters")),
    schema(_LAND_NUMBER, "Map sheet number (số hiệu tờ bản đồ)"),
]
ParcelNumber = Annotated[
    str,
    AfterValidator(shaped(_LAND_NUMBER, "a parcel number has 1 to 10 digits or capital letters")),
    schema(_LAND_NUMBER, "Parcel number (số thứ tự thửa)"),
]

_SERIAL: Final = "[A-ZĐ]{2} ?([0-9]{6}|[0-9]{8})"
LandCertificateSerial = Annotated[
    str,
    AfterValidator(shaped(_SERIAL, "a certificate serial has two capital letters and 6 or 8 digits")),
    schema(_SERIAL, "Serial of the land certificate (số phát hành GCN)"),
]
"""The serial as printed, for example with one space between letters and digits; that space is part of the value."""


@dataclass(frozen=True, slots=True, order=True)
class ParcelKey:
    """What a parcel is found by: commune (of its time), map sheet and parcel number.

    Some land systems keep the numbers as integers, so they are compared without leading zeros. After the mergers of
    2025 the triple is unique only together with a day.
    """

    commune: str
    sheet: str
    parcel: str

    def canonical(self) -> "ParcelKey":
        """The same key without leading zeros."""
        return ParcelKey(self.commune, self.sheet.lstrip("0") or "0", self.parcel.lstrip("0") or "0")


# --- agencies, dossiers, places ----------------------------------------------------------------------------------

AgencyCode = Annotated[
    str, AfterValidator(check_agency_code), schema(AGENCY_SHAPE, "Agency code (mã định danh cơ quan)")
]
DossierCode = Annotated[str, AfterValidator(check_dossier_code), schema(DOSSIER_SHAPE, "Dossier code (mã hồ sơ)")]
ProcedureCode = Annotated[
    str, AfterValidator(check_procedure_code), schema(PROCEDURE_SHAPE, "Procedure code (mã thủ tục hành chính)")
]


def _known_province(value: str) -> str:
    if value not in PROVINCES_BEFORE:
        raise ValueError("no province has or had this code")
    return value


ProvinceCode = Annotated[
    str,
    AfterValidator(shaped("[0-9]{2}", "a province code has exactly 2 digits")),
    AfterValidator(_known_province),
    schema("[0-9]{2}", "Province code (mã tỉnh, thành phố)"),
]
"""A province of before or since 1 July 2025; whether it was valid on a day: `provinces_on` of the province list."""

CommuneCode = Annotated[
    str,
    AfterValidator(shaped("[0-9]{5}", "a commune code has exactly 5 digits")),
    schema("[0-9]{5}", "Commune code (mã xã, phường, đặc khu)"),
]
"""Five digits, meaningful only with a day: `Communes.on` of the commune list."""

# --- everything else ---------------------------------------------------------------------------------------------

check_officer = shaped("[A-Za-z0-9._@-]{1,64}", "an officer's account has 1 to 64 of A-Z a-z 0-9 . _ @ -")
OfficerId = Annotated[
    str,
    AfterValidator(check_officer),
    schema("[A-Za-z0-9._@-]{1,64}", "Account of the officer who asks (tài khoản cán bộ)"),
    Subject("officer", personal=False),
]
"""The caller's own account name; one of 9 or 12 digits is an identity number and `Subject.of` says so."""


def check_plain(value: str) -> str:
    """Bring a text to NFC; raises ValueError where it holds control, surrogate or unassigned characters."""
    composed = unicodedata.normalize("NFC", value)
    # What is printable throughout is of none of these categories; a look at every character finds out about the rest.
    if not composed.isprintable() and any(
        unicodedata.category(character) in ("Cc", "Cs", "Cn") for character in composed
    ):
        raise ValueError("the text holds control or unassigned characters")
    return composed


HOUSEHOLD: Final = Subject("household")
"""Marks the number of a household or of its book (mã hộ, số sổ hộ khẩu, số sổ BHXH): it identifies who lives there."""

RequestText = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_plain)]
"""Free text of a question (names, addresses): brought to NFC, never stripped; control characters are refused."""
