"""What the gateway says to the National Public Service Portal and hears from it (Cổng Dịch vụ công quốc gia).

Places are those of the first generation of its interface; `adapters.portal` says where the second has them. Dossiers
and steps are those of `schemas.dossiers`, with the code and the national status that only the portal is told together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import Field, model_validator

from schemas.codes.agencies import dossier_code_parts
from schemas.dossiers.contents import DossierContent, StepContent
from schemas.dossiers.models import NationalCode
from schemas.dossiers.statuses import NATIONAL
from schemas.fields import Question, Record, said
from schemas.forms import LOCAL_INSTANT, flag
from schemas.identifiers import DossierCode, ProcedureCode
from schemas.values import Instant

LONGEST_NOTE: Final = 4000
_LONGEST_OFFICER: Final = 50
_MARK: Final = re.compile(r" ?\[#([0-9]{1,15})?(?:/([A-Za-z0-9._-]{1,40}))?\]$")


class Mark(NamedTuple):
    """Which event of the gateway a progress record at the portal is: its sequence, its id, either where it has one."""

    sequence: int | None
    event: str | None


def marked(note: str, sequence: int | None, event: str | None) -> str:
    """Return a text with the mark of its event at the end, ` [#3/ID]`, shortened before it to what the portal takes.

    The portal has no member for either, and without one nobody can tell a record that was applied, and whose answer was
    lost, from another of the same status (our convention; that the portal keeps the text is seen, its purpose is not).
    """
    if sequence is None and event is None:
        return note[:LONGEST_NOTE]
    mark = f" [#{'' if sequence is None else sequence}{'' if event is None else f'/{event}'}]"
    return note[: LONGEST_NOTE - len(mark)] + mark


def mark_of(note: str | None) -> Mark | None:
    """Read the mark at the end of a text; None where it has none."""
    found = _MARK.search(note or "")
    if found is None or (found[1] is None and found[2] is None):
        return None
    return Mark(int(found[1]) if found[1] else None, found[2])


class PortalDossier(DossierContent):
    """A dossier as the portal is told of it (hồ sơ đồng bộ)."""

    code: DossierCode = said("Mã hồ sơ", "Code of the dossier", "MaHoSo", required=True)
    status: NationalCode = said("Trạng thái hồ sơ", "National status of the dossier", "TrangThaiHoSo", required=True)

    @model_validator(mode="before")
    @classmethod
    def _of_its_agency(cls, value: Any) -> Any:
        """Name the agency in the dossier's code where none is given: the second generation asks for one."""
        if not isinstance(value, Mapping) or value.get("agency") is not None:
            return value
        try:
            return {**value, "agency": dossier_code_parts(value["code"]).agency}
        except (KeyError, TypeError, ValueError):
            # What is wrong with the code is said where that is checked.
            return value


class PortalStep(StepContent):
    """A step of a dossier as the portal is told of it (tiến độ xử lý)."""

    code: DossierCode = said("Mã hồ sơ", "Code of the dossier", "MaHoSo", required=True)
    status: NationalCode = said("Trạng thái", "National status that was reached", "TrangThai", required=True)

    @classmethod
    def of(cls, code: str, national: str, said: Mapping[str, Any], *, sequence: int | None, event: str | None) -> Self:
        """Make the step of an event from what its source `said` of it, members of StepContent by name.

        The portal wants an officer and a text: where the source gave none it is told the unit or the agency, and the
        title of the status. The text ends with the mark of the event. Raises pydantic's ValidationError.
        """
        officer = said.get("officer") or said.get("unit") or dossier_code_parts(code).agency
        note = said.get("note") or NATIONAL[national].title.vi
        known = {name: said[name] for name in StepContent.model_fields if said.get(name) is not None}
        return cls.model_validate(
            {
                **known,
                "code": code,
                "status": national,
                "officer": officer[:_LONGEST_OFFICER],
                "note": marked(note, sequence, event),
            }
        )


class RegisterQuestion(Question):
    """Dossiers to create at the portal, or to replace there (đồng bộ hồ sơ)."""

    updating: bool = said(
        "Cập nhật hồ sơ đã có",
        "Whether the portal has these dossiers",
        "isUpdating",
        flag("True", "False"),
        required=True,
    )
    dossiers: Annotated[list[PortalDossier], Field(min_length=1)] = said("Hồ sơ", "Dossiers", "data", required=True)


class ProgressQuestion(Question):
    """Steps to add to dossiers that the portal has, in order (cập nhật tiến độ hồ sơ)."""

    steps: Annotated[list[PortalStep], Field(min_length=1)] = said("Tiến độ", "Steps", "data", required=True)


class Element(Record):
    """What the portal says of one element of a batch; `code` is that of its dossier."""

    code: DossierCode | None = said("Mã hồ sơ", "Code of the dossier")
    outcome: str | None = said("Kết quả", "What became of it: see adapters.portal_rules")
    reason: str | None = said("Lý do", "Name of the rule that says so")
    source_code: str | None = said("Mã kết quả của Cổng", "Result code of the portal")
    message: str | None = said("Thông báo của Cổng", "Message of the portal")


class Delivered(Record):
    """What the portal says of a batch; `elements` are in the order sent, none where it speaks of the whole only."""

    outcome: str | None = said("Kết quả", "What became of the whole: see adapters.portal_rules")
    reason: str | None = said("Lý do", "Name of the rule that says so")
    source_code: str | None = said("Mã kết quả của Cổng", "Result code of the portal")
    message: str | None = said("Thông báo của Cổng", "Message of the portal")
    elements: list[Element] = said("Từng phần tử", "Each element", default=[])


class LookUpQuestion(Question):
    """Which dossier (tra cứu hồ sơ)."""

    code: DossierCode = said("Mã hồ sơ", "Code of the dossier", "mahoso", required=True)


class Progress(Record):
    """A step that the portal holds."""

    at: Instant | None = said("Thời điểm xử lý", "When the status was reached", "ThoiDiemXuLy", LOCAL_INSTANT)
    status: str | None = said("Trạng thái", "National status that was reached", "TrangThai")
    unit: str | None = said("Phòng ban xử lý", "Unit that handled it", "PhongBanXuLy")
    officer: str | None = said("Người xử lý", "Name or account of the officer who handled it", "NguoiXuLy")
    note: str | None = said("Nội dung xử lý", "What was done; see mark_of", "NoiDungXuLy")


class DossierState(Record):
    """A dossier as the portal holds it, its steps in the order in which they were applied."""

    code: DossierCode | None = said("Mã hồ sơ", "Code of the dossier", "MaHoSo")
    procedure: ProcedureCode | None = said("Mã thủ tục hành chính", "Code of the procedure", "MaTTHC")
    status: str | None = said("Trạng thái hồ sơ", "National status of the dossier", "TrangThaiHoSo")
    submitted_at: Instant | None = said("Ngày nộp hồ sơ", "When it was handed in", "NgayNopHoSo", LOCAL_INSTANT)
    received_at: Instant | None = said("Ngày tiếp nhận", "When it was accepted", "NgayTiepNhan", LOCAL_INSTANT)
    due_at: Instant | None = said("Ngày hẹn trả", "When the result is due", "NgayHenTra", LOCAL_INSTANT)
    finished_at: Instant | None = said("Ngày kết thúc xử lý", "When processing ended", "NgayKetThucXuLy", LOCAL_INSTANT)
    returned_at: Instant | None = said("Ngày trả", "When the result was handed over", "NgayTra", LOCAL_INSTANT)
    steps: list[Progress] = said("Danh sách tiến độ", "Steps", "DanhSachTienDo", default=[])


class ProcedureQuestion(Question):
    """Which procedure (lấy thủ tục)."""

    procedure: ProcedureCode = said("Mã thủ tục hành chính", "Code of the procedure", "maTTHC", required=True)


class Entry(Record):
    """One line of a catalogue (danh mục)."""

    code: str | None = said("Mã", "Code", "MATTHC")
    name: str | None = said("Tên", "Name", "TENTTHC")


class Term(Record):
    """How long a procedure may take (thời gian giải quyết)."""

    amount: str | None = said("Thời gian giải quyết", "Number of units", "THOIGIANGIAIQUYET")
    unit: str | None = said("Đơn vị tính", "Unit of time", "DONVITINH")
    note: str | None = said("Mô tả", "Remark", "MOTA")


class Submission(Record):
    """One way to hand in a dossier of a procedure (cách thức thực hiện)."""

    channel: str | None = said("Kênh", "Channel: 1 at the counter, 2 online, 3 by post", "KENH")
    terms: list[Term] = said("Thời gian", "How long it may take", "THOIGIAN", default=[])


class Procedure(Record):
    """A procedure as the portal describes it, as far as dossiers are checked against it (thủ tục hành chính)."""

    code: ProcedureCode | None = said("Mã thủ tục hành chính", "Code of the procedure", "MATTHC")
    name: str | None = said("Tên thủ tục hành chính", "Name of the procedure", "TENTTHC")
    fields: list[Entry] = said("Lĩnh vực thực hiện", "Fields of work", "LINHVUCTHUCHIEN", default=[])
    ways: list[Submission] = said("Cách thức thực hiện", "Ways to hand in a dossier", "CACHTHUCTHUCHIEN", default=[])
    results: list[Entry] = said("Kết quả thực hiện", "Results", "KETQUATHUCHIEN", default=[])


class CatalogueQuestion(Question):
    """A catalogue is asked for as a whole."""


class Catalogue(Record):
    """The lines of a catalogue."""

    entries: list[Entry] = said("Danh mục", "Lines", "result", default=[])
