"""Dossiers that people filed at the national portal, for the agency that is to handle them (hồ sơ nộp tại Cổng).

That dossiers go from the portal to provinces is law (the portal is the single front door since 2025); how they are
fetched is published nowhere. Names of this question and its answer are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from schemas.codes.agencies import dossier_code_parts, new_agency_code
from schemas.dossiers.models import DossierBody
from schemas.fields import Question, Record, said
from schemas.forms import INTEGER
from schemas.identifiers import DossierCode
from schemas.portal import PortalDossier

Cursor = Annotated[str, Field(min_length=1, max_length=512)]
_LONGEST_AGENCY = 64


class FiledQuestion(Question):
    """Which of the filed dossiers are not known yet (lấy danh sách hồ sơ)."""

    after: Cursor | None = said("Sau con trỏ", "Cursor that the portal gave last; none: from the beginning", "sau")
    limit: Annotated[int, Field(ge=1, le=200)] = said("Số hồ sơ", "Most dossiers", "soLuong", INTEGER, required=True)


class Doubt(Record):
    """A value of a filed dossier that our vocabulary has no word for: it is null, the original stands here."""

    pointer: str = said("Vị trí", "Where in the dossier", required=True)
    code: str = said("Mã", "What is the matter", required=True)
    original: str = said("Giá trị gốc", "What the portal said", required=True)


class FiledDossier(Record):
    """One element of the portal's list: its contents, or the element as it came where it cannot be read."""

    code: str | None = said("Mã hồ sơ", "Code of the dossier, if it can be read")
    content: PortalDossier | None = said("Nội dung", "The dossier")
    doubts: list[Doubt] = said("Cảnh báo", "Values without a word of ours", default=[])
    reason: str | None = said("Lý do", "Why it cannot be read")
    raw: str | None = said("Nguyên văn", "The element as JSON text, if it cannot be read")


class FiledPage(Record):
    """Dossiers that were filed since the cursor, in the portal's order, and the cursor behind them."""

    dossiers: list[FiledDossier] = said("Hồ sơ", "Filed dossiers", default=[])
    next: str | None = said("Con trỏ", "Cursor behind the last of them")


class Acknowledgement(Question):
    """Which version of a filed dossier was taken over (xác nhận đã nhận)."""

    version: Annotated[int, Field(ge=1, le=1_000_000)] | None = said(
        "Phiên bản", "Version that was taken over", note="Without it the newest that was shown"
    )


def filed_body(content: Mapping[str, Any]) -> DossierBody:
    """Make of what the portal tells of a dossier what its owner would have registered; raises ValueError.

    Nobody says how it came where the portal leaves that out: it was filed there, online.
    """
    known: Any = _without_nothing({name: value for name, value in content.items() if name != "code"})
    known = {"channel": "online", "submitted_to": "national-portal", **known, "deliver": False}
    try:
        return DossierBody.model_validate(known)
    except ValidationError as error:
        places = sorted({"/".join(map(str, flaw["loc"])) or "dossier" for flaw in error.errors(include_input=False)})
        raise ValueError(", ".join(places)) from None


def receiving_agency(code: DossierCode, body: DossierBody) -> str:
    """The agency that is to handle a dossier, in the new form where it has one: what is named, else who opened it."""
    return plain_agency(body.agency or dossier_code_parts(code).agency)


def plain_agency(agency: str) -> str:
    """An agency code in the new form, as it is where it has none."""
    try:
        return new_agency_code(agency)
    except ValueError:
        return agency[:_LONGEST_AGENCY]


def _without_nothing(value: Any) -> Any:
    """Leave out what was not said: null and empty text."""
    if isinstance(value, dict):
        return {name: kept for name, one in value.items() if (kept := _without_nothing(one)) not in (None, "")}
    return [_without_nothing(one) for one in value] if isinstance(value, list) else value
