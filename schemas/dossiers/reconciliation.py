"""What an owner says to have its dossiers compared with the portal (yêu cầu đối soát)."""

from __future__ import annotations

from schemas.fields import Question, said
from schemas.values import Day


class Reconcile(Question):
    """Compare the dossiers of a day with the portal, and repair what may be repaired."""

    day: Day = said("Ngày", "Day in Vietnam", required=True, examples=["2026-11-29"])
    repair: bool = said("Khắc phục", "Whether what the portal lost is sent again", default=False)
