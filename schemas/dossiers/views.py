"""What is told about pushes, deliveries and dossiers: members, titles, in the order in which they are shown.

Instants are RFC 3339 in UTC where they are the gateway's own; those of a source stand as the source wrote them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.dossiers.messages import DeliveryState
from schemas.dossiers.models import DossierBody, StatusEvent
from schemas.fields import said

Result = Literal["accepted", "duplicate", "waiting", "late", "quarantined"]
Kind = Literal["registration", "status"]


class Shown(BaseModel):
    """Base of everything told: members are always there, and null where there is nothing, unless they say otherwise."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Taken(Shown):
    """What became of one push."""

    code: str = said("Mã hồ sơ", "Code of the dossier", required=True)
    delivery: str | None = said(
        "Mã sự kiện", "Id of the delivery; null where nothing is sent to the portal", required=True
    )
    result: Result = said("Kết quả", "What became of it, in the words of the first answer to its key", required=True)
    replayed: bool = said(
        "Đã trả lời trước đó", "Whether this is the stored answer to an earlier request", required=True
    )


class Registered(Taken):
    """What became of a dossier (kết quả đăng ký)."""

    version: int | None = said("Phiên bản", "Number of the version, from 1", required=True)
    reason: str | None = said("Lý do", "Why an amendment waits", required=True)


class Pushed(Taken):
    """What became of a status (kết quả gửi trạng thái)."""

    reason: str | None = said("Lý do", "Why it waits, is late or in quarantine", required=True)


class PushedLine(Shown):
    """What became of one event among many: with its receipt, or refused with its problem."""

    line: int = said("Thứ tự", "Place of the event in the request, from 1", required=True)
    code: str | None = said(
        "Mã hồ sơ", "Code of the dossier as it was sent; null where it could not be read", required=True
    )
    key: str | None = said("Khóa chống trùng", "Its key; null where it could not be read", required=True)
    result: Literal["accepted", "duplicate", "waiting", "late", "quarantined", "refused"] = said(
        "Kết quả", "What became of it; duplicate: it was answered before", required=True
    )
    reason: str | None = said("Lý do", "Why it waits, is late or in quarantine; absent otherwise")
    delivery: str | None = said("Mã sự kiện", "Id of the delivery; absent where it was refused")


class PushedLines(Shown):
    """What became of many events, in the order of the request."""

    results: list[PushedLine] = said("Kết quả từng sự kiện", "One for each event", required=True)


class Attempt(Shown):
    """One try to deliver."""

    number: int = said("Lần", "Number of the attempt, from 1", required=True)
    at: str = said("Thời điểm", "When it began", required=True)
    duration_ms: int | None = said("Thời lượng", "Milliseconds until its outcome", required=True)
    outcome: str = said("Kết quả", "What came of it; unknown: the answer was lost", required=True)
    code: str | None = said("Mã của Cổng", "What the portal answered", required=True)
    reason: str | None = said("Lý do", "What that means", required=True)


class Delivery(Shown):
    """One delivery: codes, times and states, nothing of what is sealed (sự kiện gửi Cổng)."""

    id: str = said("Mã sự kiện", "Id of the event, as in its receipt's entry", required=True)
    code: str = said("Mã hồ sơ", "Code of the dossier", required=True)
    kind: Kind = said("Loại", "Whether a dossier or a status is delivered", required=True)
    version: int | None = said("Phiên bản", "Version of the dossier that is delivered", required=True)
    sequence: int | None = said("Số thứ tự", "Number of the event within the dossier", required=True)
    vocabulary: str | None = said("Bộ mã trạng thái", "Vocabulary of the source's status", required=True)
    source_status: str | None = said(
        "Trạng thái của nguồn", "Status in the words of its source; null for what may be free text", required=True
    )
    status: str | None = said("Trạng thái quốc gia", "National code", required=True)
    at: str | None = said("Thời điểm xử lý", "When the status was reached", required=True)
    client: str = said("Ứng dụng", "Client that pushed it", required=True)
    state: DeliveryState = said("Trạng thái gửi", "State of the delivery", required=True)
    step: str = said("Bước", "The state more exactly: queued, sending and others", required=True)
    reason: str | None = said("Lý do", "Why it is in that state", required=True)
    fingerprint: str | None = said(
        "Dấu vân", "The same for what failed alike; null for what needs no repair", required=True
    )
    flags: list[str] = said("Cờ", "What was odd about the transition", required=True)
    destination: str = said("Nơi nhận", "Where it is delivered", required=True)
    accepted_at: str | None = said("Thời điểm tiếp nhận", "When it was durable", required=True)
    due_at: str | None = said("Thời điểm gửi kế tiếp", "When it is tried next", required=True)
    delivered_at: str | None = said("Thời điểm đã gửi", "When the portal had it", required=True)
    receipt_index: int = said("Số thứ tự trong nhật ký", "Position of its entry in the audit log", required=True)
    attempts: list[Attempt] = said("Các lần gửi", "Every attempt, in order", required=True)


class DeliveryPage(Shown):
    """A page of deliveries, in the order in which they were accepted."""

    items: list[Delivery] = said("Các sự kiện", "Deliveries", required=True)
    next: str | None = said("Con trỏ trang sau", "Give it as `after`; null where this is the end", required=True)


class DeliveryOfDossier(Delivery):
    """A delivery with what was pushed; both are null once the keys of their period are destroyed."""

    event: StatusEvent | None = said("Sự kiện", "The status as it was pushed; absent for a registration")
    dossier: DossierBody | None = said("Hồ sơ", "The dossier as it was pushed; absent for a status")


class Version(Shown):
    """One version of a dossier (phiên bản)."""

    version: int = said("Phiên bản", "Number, from 1", required=True)
    at: str = said("Thời điểm", "When it was accepted", required=True)
    client: str = said("Ứng dụng", "Client that pushed it", required=True)
    deliver: bool = said("Gửi lên Cổng", "Whether it is sent to the portal", required=True)
    receipt_index: int = said("Số thứ tự trong nhật ký", "Position of its entry in the audit log", required=True)
    dossier: DossierBody | None = said(
        "Hồ sơ", "What it says; null once the keys of its period are destroyed", required=True
    )


class Step(Shown):
    """One thing that happened to a dossier; members that it has nothing to say in are absent (mốc thời gian)."""

    at: str = said("Thời điểm", "When", required=True)
    what: str = said("Việc", "What happened: received, validated, attempt, delivered and others", required=True)
    version: int | None = said("Phiên bản", "Version of the dossier")
    client: str | None = said("Ứng dụng", "Client that did it")
    delivery: str | None = said("Mã sự kiện", "Delivery that it happened to")
    status: str | None = said("Trạng thái quốc gia", "National code of that delivery")
    number: int | None = said("Lần", "Number of the attempt")
    duration_ms: int | None = said("Thời lượng", "Milliseconds until the outcome")
    outcome: str | None = said("Kết quả", "What came of the attempt")
    code: str | None = said("Mã của Cổng", "What the portal answered")
    reason: str | None = said("Lý do", "Why")


class Deadline(Shown):
    """When something is due, and whether that was kept."""

    due_at: str | None = said("Thời hạn", "When it is due, as the source wrote it", required=True)
    due_on: str | None = said("Ngày đến hạn", "The day of that in Vietnam", required=True)
    overdue: bool | None = said(
        "Quá hạn", "Whether it ended after that, or is not over and the time has passed", required=True
    )


class StepDeadline(Deadline):
    """When a step of the process is due."""

    delivery: str = said("Mã sự kiện", "The status that began the step", required=True)
    status: str | None = said("Trạng thái quốc gia", "Its national code", required=True)


class Deadlines(Deadline):
    """When the result is due, and each step that has a time of its own (thời hạn giải quyết)."""

    steps: list[StepDeadline] = said("Thời hạn từng bước", "In order of acceptance", required=True)


class FromOthers(Shown):
    """What a client of another agency pushed for a dossier: how much, nothing of what it says (cơ quan khác gửi)."""

    agency: str = said("Mã cơ quan", "Agency of the client", required=True)
    client: str = said("Ứng dụng", "Client that pushed", required=True)
    deliveries: int = said("Số sự kiện", "How many it pushed", required=True)
    delivered: int = said("Số sự kiện đã gửi Cổng", "How many of them the portal has", required=True)
    last_at: str = said("Lần cuối", "When the last of them came", required=True)


class WholeDossier(Shown):
    """Everything about a dossier, for the agency that registered it (toàn bộ hồ sơ)."""

    code: str = said("Mã hồ sơ", "Code of the dossier", required=True)
    procedure: str | None = said("Mã thủ tục hành chính", "Code of the procedure", required=True)
    agency: str | None = said("Mã cơ quan", "Agency that registered it", required=True)
    client: str | None = said("Ứng dụng", "Client that registered it", required=True)
    standing: Literal["registered", "adopted"] = said(
        "Cách đăng ký", "Whether it was registered here or adopted from the portal", required=True
    )
    version: int = said("Phiên bản", "Number of the newest version", required=True)
    status: str | None = said(
        "Trạng thái quốc gia", "National status once everything accepted so far is delivered", required=True
    )
    delivered_status: str | None = said("Trạng thái tại Cổng", "National status delivered last", required=True)
    registered_at: str = said("Thời điểm đăng ký", "When it was registered", required=True)
    changed_at: str = said("Thời điểm thay đổi", "When it changed last", required=True)
    deadlines: Deadlines = said("Thời hạn", "When what is due", required=True)
    versions: list[Version] = said("Các phiên bản", "Every version, the oldest first", required=True)
    deliveries: list[DeliveryOfDossier] = said(
        "Các sự kiện gửi Cổng", "Deliveries, in order of acceptance", required=True
    )
    timeline: list[Step] = said("Mốc thời gian", "What happened, in order of time", required=True)
    from_others: list[FromOthers] = said(
        "Cơ quan khác đã gửi", "What other agencies pushed for it, which they alone see", required=True
    )
