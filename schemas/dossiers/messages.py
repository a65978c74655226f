"""What sources ask over SOAP about dossiers: the members of each request (thông điệp SOAP về hồ sơ).

What REST says in a path, a header or a query stands in the Body here, before what is said of dossier or status.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from schemas.dossiers.idempotency import check_key
from schemas.dossiers.models import DossierBody, NationalCode, StatusEvent
from schemas.dossiers.repairs import Client, Word
from schemas.fields import Question, said
from schemas.identifiers import DossierCode

AT_ONCE: Final = 1_000
"""Most events in one request."""

LIMIT, MOST = 50, 500
"""How many deliveries a page has where nobody says so, and at most."""

# As it may be sent: a string of a structured field takes two marks more, and one for each mark in it.
SentKey = Annotated[str, AfterValidator(check_key), WithJsonSchema({"type": "string", "pattern": "^[ -~]{1,512}$"})]
DeliveryState = Literal["waiting", "delivered", "late", "quarantined", "dead", "discarded"]

_KEY: Final = "Khóa chống trùng", "Idempotency key, 1 to 255 printable ASCII characters, bare or as a quoted string"


class _Named(Question):
    """What every request about one dossier begins with."""

    code: DossierCode = said("Mã hồ sơ", "Code of the dossier", required=True, examples=["000.00.00.H26-260105-0001"])


class _Keyed(_Named):
    """An event is pushed under a key."""

    key: SentKey = said(*_KEY, required=True, examples=["hs-0001-4"])


class RegisterDossier(_Named):
    """Registers a dossier, or amends it (đăng ký hoặc sửa hồ sơ)."""

    key: SentKey | None = said(*_KEY)
    dossier: DossierBody = said("Hồ sơ", "The whole dossier: it replaces what was said before", required=True)


class PushStatus(StatusEvent, _Keyed):
    """Pushes one status (gửi một trạng thái)."""


class PushStatuses(Question):
    """Pushes many statuses, each of which ends by itself (gửi nhiều trạng thái)."""

    events: list[PushStatus] = said("Các sự kiện", f"Events, at most {AT_ONCE}", required=True)


class GetDossier(_Named):
    """Asks for everything about a dossier of one's own agency (xem toàn bộ hồ sơ)."""


class ListDeliveries(Question):
    """Asks for the deliveries of one's own agency, page by page (danh sách sự kiện gửi Cổng)."""

    state: DeliveryState | None = said("Trạng thái", "Only those in this state")
    code: DossierCode | None = said("Mã hồ sơ", "Only those of this dossier")
    client: Client | None = said("Ứng dụng", "Only those that this client pushed")
    reason: Word | None = said("Lý do", "Only those in their state for this reason")
    fingerprint: Word | None = said("Dấu vân", "Only those that failed alike")
    status: NationalCode | None = said("Trạng thái quốc gia", "Only those with this national code")
    limit: Annotated[int, Field(ge=1, le=MOST)] | None = said(
        "Số mục", f"How many, 1 to {MOST}", note=f"{LIMIT} where it is absent"
    )
    after: Annotated[str, Field(min_length=1, max_length=40)] | None = said(
        "Con trỏ", "`next` of the page before: this page begins behind it"
    )
