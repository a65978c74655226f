"""How the simulated insurance registries write their records, and what the gateway must make of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from sandbox.ngsp import day_month_year
from sandbox.world.chance import years_later
from sandbox.world.holdings import HealthInsuranceCard, Insurance
from sandbox.world.model import PartialDate, Person

SEX_CODES: Final = {"male": "1", "female": "2"}
STATUS_CODES: Final = {"participating": 1, "paused": 2, "retired": 3, "ended": 4}


def birth_members(birth: PartialDate, *, padded: bool) -> dict[str, str]:
    """Write a birth date: yyyyMMdd and how much of it counts; `padded` makes up what is not known."""
    kind = "1" if birth.month is None else "2" if birth.day is None else "0"
    text = birth.text.replace("-", "")
    return {"ngaySinh": (text + "0101")[:8] if padded else text, "loaiNgaySinh": kind}


def _padded(person: Person) -> bool:
    return person.index % 2 == 1


def participant_body(found: Insurance, person: Person) -> dict[str, Any]:
    """Write an insured person as `getTraCuuTtHgdByMaSoBhxh` answers it."""
    place = found.birth_registration.place
    body: dict[str, Any] = {
        "hoTen": person.full_name,
        "soSoCu": found.old_book,
        **birth_members(person.birth, padded=_padded(person)),
        "gioiTinh": SEX_CODES[person.sex],
        "trangThai": STATUS_CODES[found.status],
        "errorCode": "0",
    }
    if place is not None:
        body |= {"maTinhKs": place.province, "maHuyenKs": place.district, "maXaKs": place.commune}
    return body


def household_body(found: Insurance, person: Person) -> dict[str, Any]:
    """Write an entry of a household as `getTraCuuThongTinHgd` answers it."""
    return {
        "maSo": found.number,
        "hoTen": person.full_name,
        **birth_members(person.birth, padded=_padded(person)),
        "gioiTinh": SEX_CODES[person.sex],
        "maHo": found.household_code,
        "diaChi": found.residence.text,
        "trangThai": STATUS_CODES[found.status],
        "errorCode": "0",
    }


def participant_truth(found: Insurance, person: Person) -> dict[str, Any]:
    """What the gateway must answer for a participant."""
    place = found.birth_registration.place
    return {
        "full_name": person.full_name,
        "old_book_number": found.old_book,
        "birth_date": person.birth.text,
        "sex": person.sex,
        "birth_province": place.province if place else None,
        "birth_district": place.district if place else None,
        "birth_commune": place.commune if place else None,
        "status": found.status,
    }


def household_truth(found: Insurance, person: Person) -> dict[str, Any]:
    """What the gateway must answer for an entry of a household."""
    return {
        "number": found.number,
        "full_name": person.full_name,
        "birth_date": person.birth.text,
        "sex": person.sex,
        "household_code": found.household_code,
        "address": found.residence.text,
        "status": found.status,
    }


class Issue(NamedTuple):
    """One printing of a card: its code, how it stands, and its validity."""

    code: str
    result: str
    valid_from: date
    valid_to: date


def issues(card: HealthInsuranceCard) -> list[Issue]:
    """The card and, where it was replaced, the new one, which is valid for two years from the day after."""
    found = [Issue(card.code, card.result, card.valid_from, card.valid_to)]
    if card.replaced_by is not None:
        begin = card.valid_to + timedelta(days=1)
        found.append(Issue(card.replaced_by, "000", begin, years_later(begin, 2) - timedelta(days=1)))
    return found


def printed(found: Insurance, card: HealthInsuranceCard, issue: Issue) -> str:
    """What stands on the card: newer ones show the insurance number only."""
    return found.number if card.prints_number_only and issue.code == card.code else issue.code


def area(person: Person) -> str | None:
    """The code of the area of residence: some have one, some an empty one, some none."""
    return ("K1", "", None)[person.index % 3]


def agency(found: Insurance) -> str | None:
    """The agency that issued the card."""
    place = found.residence.place
    return None if place is None else f"Bảo hiểm xã hội {place.province_name}"


def card_body(found: Insurance, person: Person, card: HealthInsuranceCard, asked: Issue) -> dict[str, Any]:
    """Write a card as `KQNhanLichSuKCB2024` answers it; the history of treatments is not part of the sandbox."""
    first, *later = issues(card)
    body: dict[str, Any] = {
        "maKetQua": asked.result,
        "ghiChu": "Thẻ còn giá trị sử dụng" if asked.result == "000" else "Thẻ không còn giá trị sử dụng",
        "maThe": printed(found, card, asked),
        "hoTen": person.full_name,
        "ngaySinh": day_month_year(person.birth),
        "gioiTinh": "Nam" if person.sex == "male" else "Nữ",
        "diaChi": found.residence.text,
        "maDKBD": card.hospital,
        "tenDKBD": card.hospital_name,
        "cqBHXH": agency(found),
        "gtTheTu": day_month_year(asked.valid_from),
        "gtTheDen": day_month_year(asked.valid_to),
        "ngayDu5Nam": day_month_year(card.five_years_on),
        "maSoBHXH": found.number,
        "maTheCu": first.code if asked.code != first.code else None,
        "dsLichSuKCB2018": None,
    }
    if area(person) is not None:
        body["maKV"] = area(person)
    if later and asked.code == first.code:
        body |= {
            "maTheMoi": later[0].code,
            "gtTheTuMoi": day_month_year(later[0].valid_from),
            "gtTheDenMoi": day_month_year(later[0].valid_to),
        }
    return body


CARD_STATUSES: Final = {"000": "valid", "003": "replaced", "010": "expired", "110": "revoked"}


def card_truth(found: Insurance, person: Person, card: HealthInsuranceCard, asked: Issue) -> dict[str, Any]:
    """What the gateway must answer for a card."""
    first, *later = issues(card)
    newer = later[0] if later and asked.code == first.code else None
    return {
        "status": CARD_STATUSES[asked.result],
        "card_number": printed(found, card, asked),
        "full_name": person.full_name,
        "birth_date": person.birth.text,
        "sex": person.sex,
        "address": found.residence.text,
        "facility_code": card.hospital,
        "facility_name": card.hospital_name,
        "agency": agency(found),
        "valid_from": asked.valid_from.isoformat(),
        "valid_to": asked.valid_to.isoformat(),
        "area": area(person),
        "five_years_on": card.five_years_on.isoformat() if card.five_years_on else None,
        "number": found.number,
        "previous_card_number": first.code if asked.code != first.code else None,
        "new_card_number": newer.code if newer else None,
        "new_valid_from": newer.valid_from.isoformat() if newer else None,
        "new_valid_to": newer.valid_to.isoformat() if newer else None,
    }
