"""How the simulated enterprise registry writes its records, and what the gateway must make of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sandbox.ngsp import day_month_year
from sandbox.world.holdings import Branch, Enterprise, RegistryAddress, Representative
from schemas.codes.persons import NATIONALITIES
from schemas.codes.statuses import ENTERPRISE_STATUSES, ENTERPRISE_TYPES

TYPE_IDS: Final = {"single-member-llc": "1", "multi-member-llc": "2", "joint-stock": "3", "private": "4", "branch": "5"}
STATUS_IDS: Final = {"active": "1", "suspended": "2", "dissolving": "3", "dissolved": "4", "bankrupt": "5"}
PROCESS: Final = {
    "processing": "PROCESSING",
    "supplement": "SUPPLEMENT",
    "approved": "APPROVED",
    "refused": "REFUSED",
}
OUR_PROCESS: Final = {
    "processing": "processing",
    "supplement": "supplement-required",
    "approved": "approved",
    "refused": "refused",
}
KINDS: Final = {"new": "Đăng ký mới", "amendment": "Đăng ký thay đổi"}
SUBMISSION: Final = "Qua mạng điện tử"
PROMISED: Final = timedelta(days=3)


def number(text: str) -> int | float | str:
    """Return an amount as a JSON number if that keeps all of its digits, else as text."""
    whole = text.removeprefix("-")
    if whole.isdigit() and (whole == "0" or whole[0] != "0"):
        return int(text)
    return float(text) if repr(float(text)) == text else text


def _address(address: RegistryAddress) -> dict[str, Any]:
    found: dict[str, Any] = {
        "CityID": address.city_id,
        "CityName": address.place.province_name,
        "WardID": address.ward_id,
        "WardName": address.place.commune_name,
        "StreetNumber": address.street,
        "AddressFullText": address.full_text,
    }
    if address.district_id is not None:
        found |= {"DistrictID": address.district_id, "DistrictName": address.place.district_name}
    return found


def _representative(person: Representative) -> dict[str, Any]:
    return {
        "FULL_NAME": person.full_name,
        "GENDER_ID": "M" if person.sex == "male" else "F",
        "DATE_OF_BIRTH": day_month_year(person.birth),
        "PERS_DOC_NO": person.document,
        "PERS_DOC_ISSUE_DATE": day_month_year(person.document_issued_on),
        "NATIONALITY_NAME": NATIONALITIES.get(person.nationality, person.nationality),
        "POSITION_NAME": person.position,
    }


def _state(status: str) -> dict[str, Any]:
    identity = STATUS_IDS[status]
    return {
        "ENTERPRISE_STATUS": identity,
        "ENTERPRISE_STATUS_ID": identity,
        "ENTERPRISE_STATUS_NAME": ENTERPRISE_STATUSES[status],
    }


def enterprise_body(found: Enterprise) -> dict[str, Any]:
    """Write an enterprise as `chiTietDoanhNghiep` answers it."""
    main: dict[str, Any] = {
        "ENTERPRISE_ID": found.internal_id,
        "ENTERPRISE_CODE": found.internal_code,
        "ENTERPRISE_GDT_CODE": found.code,
        "IMP_BUSINESS_CODE": None,
        "ENTERPRISE_TYPE_ID": TYPE_IDS[found.type],
        "ENTERPRISE_TYPE_NAME": ENTERPRISE_TYPES[found.type],
        "NAME": found.name,
        "SHORT_NAME": found.short_name,
        "FOUNDING_DATE": day_month_year(found.founded_on),
        "LAST_AMEND_DATE": day_month_year(found.amended_on),
        "NUMBER_CHANGES": found.amendments,
        **_state(found.status),
        "LEGAL_NAMES": ";".join(person.full_name for person in found.representatives),
        "CAPITAL_AMOUNT": number(found.capital),
    }
    if found.foreign_name is not None:
        main["NAME_F"] = found.foreign_name
    persons = [_representative(person) for person in found.representatives]
    return {
        "MainInformation": main,
        "HOAdress": _address(found.address),
        "BusinessActivity": [
            {"CODE": line.code, "NAME": line.name, "IS_MAIN": "Y" if line.main else "N"} for line in found.activities
        ],
        "Member": [
            {
                "MEMBER_NAME": member.name,
                "AMOUNT": number(member.amount),
                "RATIO_PERCENT": number(member.percent),
                "COUNTRY": member.country,
            }
            for member in found.members
        ],
        "Representatives": persons[0] if len(persons) == 1 else persons,
    }


def branch_body(parent: Enterprise, found: Branch) -> dict[str, Any]:
    """Write a branch as `chiTietDoanhNghiep` answers it: no capital, no members, no lines of its own."""
    main: dict[str, Any] = {
        "ENTERPRISE_ID": parent.internal_id * 1000 + int(found.code[-3:]),
        "ENTERPRISE_CODE": f"{parent.internal_code}-{found.code[-3:]}",
        "ENTERPRISE_GDT_CODE": found.code,
        "ENTERPRISE_TYPE_ID": TYPE_IDS["branch"],
        "ENTERPRISE_TYPE_NAME": ENTERPRISE_TYPES["branch"],
        "NAME": found.name,
        "FOUNDING_DATE": day_month_year(found.founded_on),
        "NUMBER_CHANGES": 0,
        **_state(found.status),
        "LEGAL_NAMES": found.head.full_name,
        "CAPITAL_AMOUNT": None,
    }
    return {
        "MainInformation": main,
        "HOAdress": _address(found.address),
        "BusinessActivity": [],
        "Member": None,
        "Representatives": _representative(found.head),
    }


def registration_body(found: Enterprise) -> dict[str, Any]:
    """Write the latest registration dossier of an enterprise as `tinhTrangHoSo` answers it."""
    dossier, contact = found.registration, found.representatives[0]
    approved = dossier.status == "approved"
    return {
        "MainInformation": {
            "IN_JOURNAL_NO": number(dossier.journal_no),
            "DOCUMENT_TYPE": KINDS[dossier.kind],
            "ENTERPRISE_CODE": found.internal_code,
            "ENTERPRISE_GDT_CODE": found.code,
            "NAME": found.name,
            "ENTERPRISE_TYPE_ID": TYPE_IDS[found.type],
            "SITE_ID": found.address.city_id,
            "RECEIPT_DATE": day_month_year(dossier.received_on),
            "PLAN_DATE": day_month_year(dossier.received_on + PROMISED),
            "PROCESS_STATUS": PROCESS[dossier.status],
            "REGISTRATION_DATE": day_month_year(dossier.decided_on) if approved else None,
            "SUPPLEMENT_DATE": "",
            "SUBMISSION_TYPE": SUBMISSION,
            "CONTACT_FULL_NAME": contact.full_name,
            "CONTACT_ID_NO": contact.document,
        }
    }


def _address_truth(address: RegistryAddress) -> dict[str, Any]:
    district = address.district_id
    return {
        "province_id": str(address.city_id),
        "province_name": address.place.province_name,
        "district_id": None if district is None else str(district),
        "district_name": None if district is None else address.place.district_name,
        "commune_id": None if address.ward_id is None else str(address.ward_id),
        "commune_name": address.place.commune_name,
        "street": address.street,
        "full_text": address.full_text,
    }


def _representative_truth(person: Representative) -> dict[str, Any]:
    return {
        "full_name": person.full_name,
        "sex": person.sex,
        "birth_date": person.birth.text,
        "document_number": person.document,
        "document_issued_on": None if person.document_issued_on is None else person.document_issued_on.isoformat(),
        "nationality": NATIONALITIES.get(person.nationality, person.nationality),
        "position": person.position,
    }


def enterprise_truth(found: Enterprise) -> dict[str, Any]:
    """What the gateway must answer for an enterprise."""
    return {
        "registry_id": str(found.internal_id),
        "internal_code": found.internal_code,
        "code": found.code,
        "old_business_code": None,
        "type": found.type,
        "type_name": ENTERPRISE_TYPES[found.type],
        "name": found.name,
        "short_name": found.short_name,
        "foreign_name": found.foreign_name,
        "founded_on": found.founded_on.isoformat(),
        "amended_on": None if found.amended_on is None else found.amended_on.isoformat(),
        "amendments": found.amendments,
        "status": found.status,
        "status_name": ENTERPRISE_STATUSES[found.status],
        "legal_names": ";".join(person.full_name for person in found.representatives),
        "capital": found.capital,
        "head_office": _address_truth(found.address),
        "activities": [{"code": line.code, "name": line.name, "main": line.main} for line in found.activities],
        "members": [
            {
                "name": member.name,
                "amount": member.amount,
                "ratio_percent": member.percent,
                "country": member.country,
            }
            for member in found.members
        ],
        "representatives": [_representative_truth(person) for person in found.representatives],
    }


def branch_truth(parent: Enterprise, found: Branch) -> dict[str, Any]:
    """What the gateway must answer for a branch."""
    suffix = found.code[-3:]
    return {
        "registry_id": str(parent.internal_id * 1000 + int(suffix)),
        "internal_code": f"{parent.internal_code}-{suffix}",
        "code": found.code,
        "old_business_code": None,
        "type": "branch",
        "type_name": ENTERPRISE_TYPES["branch"],
        "name": found.name,
        "short_name": None,
        "foreign_name": None,
        "founded_on": found.founded_on.isoformat(),
        "amended_on": None,
        "amendments": 0,
        "status": found.status,
        "status_name": ENTERPRISE_STATUSES[found.status],
        "legal_names": found.head.full_name,
        "capital": None,
        "head_office": _address_truth(found.address),
        "activities": [],
        "members": [],
        "representatives": [_representative_truth(found.head)],
    }


def registration_truth(found: Enterprise) -> dict[str, Any]:
    """What the gateway must answer for a registration dossier."""
    dossier, contact = found.registration, found.representatives[0]
    decided = dossier.decided_on
    return {
        "journal_number": dossier.journal_no,
        "document_type": KINDS[dossier.kind],
        "enterprise_code": found.code,
        "enterprise_name": found.name,
        "enterprise_type": found.type,
        "office_id": str(found.address.city_id),
        "received_on": dossier.received_on.isoformat(),
        "due_on": (dossier.received_on + PROMISED).isoformat(),
        "status": OUR_PROCESS[dossier.status],
        "approved_on": decided.isoformat() if decided is not None and dossier.status == "approved" else None,
        "supplemented_on": None,
        "submission": SUBMISSION,
        "contact_name": contact.full_name,
        "contact_document_number": contact.document,
    }
