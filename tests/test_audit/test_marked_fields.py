"""Which members of questions and answers identify somebody, and which only look so: none is forgotten."""

import re

from adapters import DATABASES
from schemas.fields import Branch, Found, Shape, shape_of, subjects
from schemas.social_insurance import HouseholdEntry

NAMED = re.compile(r"(^|_)(id|code|number|card|serial|barcode)$")
# Numbers of papers, registrations, parcels, places and kinds: who stands behind them is told beside them.
NOBODY = {
    *("number", "book_number", "marriage_number", "notice_number", "entry_number", "serial", "barcode"),
    *("journal_number", "old_business_code", "internal_code", "registry_id"),
    *("facility_code", "type_code", "code", "province_id", "district_id", "commune_id", "office_id"),
}


def unmarked(shape: Shape) -> set[str]:
    found: set[str] = set()
    for member in shape.members:
        if isinstance(member, Branch):
            found |= unmarked(member.shape)
        elif member.subject is None and NAMED.search(member.name) and "bool" not in str(_type(shape, member.name)):
            found.add(member.name)
    return found


def _type(shape: Shape, name: str) -> object:
    return shape.model.model_fields[name].annotation


def test_whatever_is_named_like_an_identifier_is_marked_or_known_to_name_nobody() -> None:
    shapes = [
        shape_of(model)
        for database in DATABASES
        for operation in database.operations
        for model in (operation.question, operation.answer)
    ]
    assert set().union(*map(unmarked, shapes)) <= NOBODY


def test_a_household_is_found_by_its_code() -> None:
    found: list[Found] = []
    subjects(shape_of(HouseholdEntry), "disclosed")({"number": "7939123456", "household_code": "1313959760"}, found)
    assert found == [
        ("disclosed", "social-insurance-number", "7939123456"),
        ("disclosed", "household", "1313959760"),
    ]
