"""What the gateway must answer for the records of the simulated civil status registry, straight from the world."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from sandbox.civil_records import address_columns, other_spouse
from sandbox.world.model import (
    Address,
    BirthRecord,
    DeathRecord,
    Entry,
    MaritalState,
    MarriageRecord,
    Parent,
    Person,
    Relative,
)

KINDS: Final = {"1": "in-time", "2": "late", "3": "again"}


def _iso(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def entry_truth(entry: Entry) -> dict[str, Any]:
    """What the gateway must answer of an entry in the books."""
    return {
        "number": entry.number,
        "book": entry.book,
        "page": entry.page,
        "registered_on": _iso(entry.registered_on),
        "kind": KINDS[entry.kind],
        "office": entry.office,
        "signer": entry.signer,
        "signer_title": entry.signer_title,
        "clerk": entry.clerk,
        "note": entry.note,
    }


def _parent_truth(prefix: str, parent: Parent | None) -> dict[str, Any]:
    who = parent.who if parent else None
    residence = parent.residence if parent else None
    return {
        **_relative_truth(prefix, who),
        f"{prefix}_residence_kind": "permanent" if residence else None,
        f"{prefix}_residence": _address_truth(residence),
    }


def _relative_truth(prefix: str, who: Relative | None) -> dict[str, Any]:
    return {
        f"{prefix}_full_name": who.full_name if who else None,
        f"{prefix}_birth_date": who.birth.text if who and who.birth else None,
        f"{prefix}_ethnicity": who.ethnicity if who else None,
        f"{prefix}_nationality": who.nationality if who else None,
        f"{prefix}_document_number": who.old_id_card if who else None,
        f"{prefix}_personal_id": who.personal_id if who else None,
    }


def _address_truth(address: Address | None) -> dict[str, Any] | None:
    found = address_columns(address)
    return found if any(value is not None for value in found.values()) else None


def birth_truth(found: BirthRecord, child: Person) -> dict[str, Any]:
    """What the gateway must answer for a birth record."""
    return {
        **entry_truth(found.entry),
        "personal_id": child.personal_id,
        "full_name": found.full_name,
        "sex": found.sex,
        "birth_date": found.birth.text,
        "birth_date_words": found.birth_words,
        "birth_place": _address_truth(found.birth_place),
        "hometown": _address_truth(found.hometown),
        "ethnicity": found.ethnicity,
        "nationality": found.nationality,
        **_parent_truth("mother", found.mother),
        **_parent_truth("father", found.father),
        "declarant_name": found.declarant.full_name if found.declarant else None,
        "declarant_relation": found.declarant_relation,
    }


def marriage_truth(found: MarriageRecord) -> dict[str, Any]:
    """What the gateway must answer for a marriage record."""
    return {
        **entry_truth(found.entry),
        "effective_on": _iso(found.effective_on),
        **_relative_truth("husband", found.husband),
        "husband_marriages": found.husband_count,
        **_relative_truth("wife", found.wife),
        "wife_marriages": found.wife_count,
        "annulled": False,
        "ended_on": _iso(found.ended_on),
        "ending": found.ending,
        "ending_document": found.ending_document,
    }


def death_truth(found: DeathRecord, person: Person) -> dict[str, Any]:
    """What the gateway must answer for a death record."""
    return {
        **entry_truth(found.entry),
        "personal_id": person.personal_id,
        "full_name": found.full_name,
        "sex": person.sex,
        "birth_date": person.birth.text,
        "ethnicity": person.ethnicity,
        "nationality": person.nationality,
        "died_on": _iso(found.death.day),
        "died_at": found.death.at.isoformat("minutes") if found.death.at else None,
        "place": found.death.place,
        "cause": found.death.cause,
        "notice_number": found.notice_number,
        "notice_on": _iso(found.notice_on),
        "notice_issuer": found.notice_issuer,
        "declarant_name": found.declarant.full_name if found.declarant else None,
    }


def marital_truth(found: MaritalState, person: Person) -> dict[str, Any]:
    """What the gateway must answer of a marital status."""
    marriage = found.marriage
    spouse = None if marriage is None else other_spouse(marriage, person)
    entry = None if marriage is None else marriage.entry
    return {
        "personal_id": person.personal_id,
        "full_name": person.full_name,
        "status": found.status,
        "since": _iso(found.since),
        "spouse_full_name": spouse.full_name if spouse else None,
        "spouse_personal_id": spouse.personal_id if spouse else None,
        "marriage_number": entry.number if entry else None,
        "marriage_book": entry.book if entry else None,
        "marriage_registered_on": _iso(entry.registered_on) if entry else None,
        "marriage_office": entry.office if entry else None,
    }
