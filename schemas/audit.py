"""What security teams and inspectors say to the audit log: whom to look for, and why values are opened (kiểm toán)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from schemas.fields import Question, said
from schemas.identifiers import Subject, check_plain
from schemas.periods import Bound

LONGEST_REASON: Final = 500
MOST_FIELDS: Final = 50

# Shapes of the values of each kind, in capitals and without separators; None where a source may write any text.
_SHAPES: Final[dict[str, str | None]] = {
    "personal-id": "[0-9]{12}",
    "id-card": "[0-9]{9}",
    "social-insurance-number": "[0-9]{10}",
    "health-card": "[A-Z]{2}[1-5][0-9]{12}|[0-9]{10}",
    "tax-code": "[0-9]{10}([0-9]{3})?|[0-9]{12}",
    "enterprise": "[0-9]{10}([0-9]{3})?",
    "identity-document": None,
    "household": None,
    "officer": "[0-9]{9}|[0-9]{12}",
}
SUBJECT_KINDS: Final = tuple(_SHAPES)

_SEPARATORS: Final = re.compile(r"[\s.\u2010-\u2013-]")


def sought(value: str, kind: str | None = None) -> list[tuple[str, str]]:
    """Return each (kind, value) under which entries may hold what somebody typed, of `kind` or of all it may be.

    Spaces, dots and dashes between the characters and small letters do not count; codes of branches stand with and
    without their dash, and where sources write any text it is sought as typed, too. Raises ValueError for a value that
    cannot be of `kind`.
    """
    typed = value.strip()
    bare = _SEPARATORS.sub("", typed).upper()
    if not bare:
        raise ValueError("the text holds no identifier")
    found = [each for one in ([kind] if kind else SUBJECT_KINDS) for each in _spelled(one, typed, bare)]
    if found:
        return list(dict.fromkeys(found))
    if kind == "officer":
        raise ValueError("entries are not about officers and are not found by their accounts: list those of the caller")
    raise ValueError("no value of this kind looks like this")


def _spelled(kind: str, typed: str, bare: str) -> list[tuple[str, str]]:
    shape = _SHAPES[kind]
    if shape is None:
        spellings = [typed, bare]
    elif re.fullmatch(shape, bare, re.ASCII) is None:
        spellings = []
    else:
        spellings = [bare, f"{bare[:10]}-{bare[10:]}"] if len(bare) == 13 else [bare]
    return [(Subject(kind).of(each).kind, each) for each in spellings]


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
