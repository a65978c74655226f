"""What sources push: a dossier, a status, a line of a stream (cập nhật hồ sơ, trạng thái).

Everything is checked as it is said: unknown members, other types, moments without an offset and codes of a wrong shape
are refused with the place of each. What a status means is no matter of its shape: see `vocabularies` and `ordering`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from schemas.codes.shapes import shaped
from schemas.dossiers.contents import DossierContent, StepContent
from schemas.dossiers.idempotency import IdempotencyKey
from schemas.dossiers.statuses import ACCEPTED, NEWLY_REGISTERED
from schemas.dossiers.vocabularies import LONGEST_STATUS, VOCABULARY_NAME
from schemas.fields import Question, said
from schemas.identifiers import DossierCode, check_plain

NationalCode = Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]
VocabularyName = Annotated[
    str,
    AfterValidator(shaped(VOCABULARY_NAME, "a vocabulary is named in small letters, digits and dashes, at most 40")),
    WithJsonSchema({"type": "string", "pattern": f"^{VOCABULARY_NAME}$"}),
]
SourceStatus = Annotated[str, Field(min_length=1, max_length=LONGEST_STATUS), AfterValidator(check_plain)]
# Fifteen digits are exact for every reader of JSON (RFC 7493, section 2.2).
Sequence = Annotated[int, Field(ge=1, le=999_999_999_999_999)]


class DossierBody(DossierContent):
    """A whole dossier as its owner registers or amends it: it replaces what was said before; the code never changes."""

    status: NationalCode | None = said(
        "Trạng thái khi đăng ký",
        "National status of the dossier when it is registered",
        "TrangThaiHoSo",
        note="Without it 2 where received_at is given, else 1; later statuses are pushed as events",
    )
    deliver: bool = said(
        "Gửi lên Cổng",
        "Whether this registration is sent to the portal",
        default=True,
        note="False adopts a dossier that the portal holds already",
    )


class StatusEvent(StepContent):
    """A status that a dossier has reached (sự kiện trạng thái), in the words of its source."""

    status: SourceStatus = said(
        "Trạng thái", "Status, a code of the vocabulary", "TrangThai", required=True, examples=["4"]
    )
    vocabulary: VocabularyName = said(
        "Bộ mã trạng thái", "Vocabulary that the status is a code of", default="national", examples=["national", "bhxh"]
    )
    sequence: Sequence | None = said(
        "Số thứ tự", "Number of the event within the dossier, from 1", note="Without it the order is that of acceptance"
    )


class StatusLine(StatusEvent):
    """A line of a stream that pushes a status."""

    code: DossierCode = said("Mã hồ sơ", "Code of the dossier", "MaHoSo", required=True)
    key: IdempotencyKey = said("Khóa chống trùng", "Idempotency key of the line", required=True)


class DossierLine(Question):
    """A line of a stream that registers or amends a dossier."""

    code: DossierCode = said("Mã hồ sơ", "Code of the dossier", "MaHoSo", required=True)
    key: IdempotencyKey = said("Khóa chống trùng", "Idempotency key of the line", required=True)
    dossier: DossierBody = said("Hồ sơ", "The whole dossier", required=True)


StreamLine = StatusLine | DossierLine


def stream_line(value: Mapping[str, Any]) -> StreamLine:
    """Read one line of a stream; raises pydantic's ValidationError, with places inside of what it is meant to be."""
    return DossierLine.model_validate(value) if "dossier" in value else StatusLine.model_validate(value)


def first_status(body: DossierBody) -> NationalCode:
    """The national status that a dossier has when it is registered, before any event.

    Our rule where the source says nothing: with a day of acceptance it was accepted, otherwise it is newly registered.
    """
    if body.status is not None:
        return body.status
    return ACCEPTED if body.received_at is not None else NEWLY_REGISTERED
