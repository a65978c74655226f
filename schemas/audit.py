"""What security teams and inspectors say to the audit log: whom to look for, and why values are opened (kiểm toán)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from schemas.fields import Question, said
from schemas.identifiers import SUBJECT_KINDS, check_plain
from schemas.periods import Bound

LONGEST_REASON: Final = 500
MOST_FIELDS: Final = 50


def _known_kind(value: str) -> str:
    if value not in SUBJECT_KINDS:
        raise ValueError("no subject is of this kind")
    return value


SubjectKind = Annotated[
    str, AfterValidator(_known_kind), WithJsonSchema({"type": "string", "enum": list(SUBJECT_KINDS)})
]
SubjectValue = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(check_plain)]
Why = Annotated[str, Field(min_length=3, max_length=LONGEST_REASON), AfterValidator(check_plain)]
Pointer = Annotated[str, Field(max_length=200, pattern=r"^(/([^/~]|~[01])*)*$"), AfterValidator(check_plain)]


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


class AuditBundle(Question):
    """What the bundle of an entry shall open; without anything it opens nothing."""

    all: bool | None = said("Mở tất cả", "Open all that is still known; nothing else can be said beside it")
    subject: AuditSubject | None = said("Đối tượng", "Open this person or organisation, nobody else")
    answer: dict[str, Any] | None = said(
        "Trả lời",
        "Open the answer, which has to come from who received it: as it was received, or its `data` alone. With its "
        "receipt no right is needed. It is compared and not kept",
    )
    fields: Annotated[list[Pointer], Field(min_length=1, max_length=MOST_FIELDS)] | None = said(
        "Trường", "Of the answer open these fields alone, by their JSON pointers", examples=[["/full_name"]]
    )
    reason: Why | None = said("Lý do", "Why; required where a right is needed. It stands in the log as for `values`")
