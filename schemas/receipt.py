"""What a caller is given for a recorded event, as far as the vocabulary needs to know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Receipt(Protocol):
    """Proof that the exchange stands in the audit log; made in `security.audit` and shown as the contract says."""

    @property
    def index(self) -> int:
        """Position of the entry in the log, from 0."""
        ...

    def as_json(self, proof: Sequence[bytes] | None = None) -> dict[str, object]:
        """Return the `receipt` member of an answer; with an inclusion proof the form that verifies offline."""
        ...

    def as_text(self, proof: Sequence[bytes] | None = None) -> str:
        """Return the same as JSON text."""
        ...
