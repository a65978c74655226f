"""What owners say when they repair deliveries: which ones, how many they take them for, why (xử lý lại)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schemas.dossiers.models import NationalCode
from schemas.fields import Question, said
from schemas.identifiers import DossierCode, check_plain

Word = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,48}$")]
Client = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Why = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_plain)]
Count = Annotated[int, Field(ge=0, le=10_000)]


class RepairFilter(Question):
    """Deliveries that agree with everything that is said."""

    state: Literal["dead", "quarantined", "waiting", "queued", "late"] | None = said("Trạng thái", "State")
    code: DossierCode | None = said("Mã hồ sơ", "Code of the dossier")
    client: Client | None = said("Nguồn", "Client that pushed it")
    reason: Word | None = said("Lý do", "Why it ended so")
    fingerprint: Word | None = said("Dấu vân", "The same for what failed alike")
    status: NationalCode | None = said("Trạng thái hồ sơ", "National status of the event")


class Retry(Question):
    """Send again, or let out of quarantine."""

    filter: RepairFilter = said("Bộ lọc", "Which deliveries", required=True)
    expect: Count | None = said("Số sự kiện dự kiến", "How many they are; without it they are only counted")
    reason: Why | None = said("Lý do", "Why, for the audit trail")


class Discard(Question):
    """Give up: what is discarded is never sent."""

    filter: RepairFilter = said("Bộ lọc", "Which deliveries", required=True)
    expect: Count | None = said("Số sự kiện dự kiến", "How many they are; without it they are only counted")
    reason: Why = said("Lý do", "Why, for the audit trail", required=True)
