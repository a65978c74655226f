"""What security teams and inspectors say to the audit log: whom to look for, and why values are opened (kiểm toán)."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from schemas.fields import Question, said
from schemas.identifiers import SUBJECT_KINDS, check_plain
from schemas.periods import Bound

LONGEST_REASON: Final = 500


def _known_kind(value: str) -> str:
    if value not in SUBJECT_KINDS:
        raise ValueError("no subject is of this kind")
    return value


SubjectKind = Annotated[
    str, AfterValidator(_known_kind), WithJsonSchema({"type": "string", "enum": list(SUBJECT_KINDS)})
]
SubjectValue = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(check_plain)]
Why = Annotated[str, Field(min_length=3, max_length=LONGEST_REASON), AfterValidator(check_plain)]


class AuditSubject(Question):
    """Whom to look for, by an identifier as sources write it."""

    kind: SubjectKind | None = said("Loại số", "What the value is; where it is absent, all that it may be")
    value: SubjectValue = said("Giá trị", "The identifier", required=True)


class AuditSearch(Question):
    """Entries that asked about a person or organisation, or disclosed something of them."""

    subject: AuditSubject = said("Đối tượng", "Whom to look for", required=True)
    since: Bound | None = said("Từ", "From this day or time on")
    until: Bound | None = said("Đến", "Up to the end of this day, or before this time")


class AuditOpening(Question):
    """Open what stands sealed behind an entry."""

    reason: Why = said(
        "Lý do",
        "Why it is opened; it stands in the log for good, readable for everybody who may read that: name the case, "
        "nobody's number",
        required=True,
    )
