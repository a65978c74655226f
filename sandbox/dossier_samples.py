"""Bodies to start from when dossiers are pushed to a demo: of a person of its own population (hồ sơ mẫu)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.portal.procedures import PROCEDURES


def dossier_samples(person: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dossier of the person of the sample `population/person`, and a status; each takes any dossier code."""
    procedure = PROCEDURES[0]
    dossier = {
        "procedure": procedure.code,
        "procedure_name": procedure.name,
        "channel": "online",
        "owner_name": person["data"]["full_name"],
        "owner_kind": "citizen",
        "owner_identities": [{"number": person["body"]["personal_id"]}],
        "summary": procedure.name,
        "submitted_at": "2026-01-05T08:00:00+07:00",
        "received_at": "2026-01-05T08:30:00+07:00",
        "due_at": "2026-01-19T17:00:00+07:00",
    }
    status = {
        "status": "4",
        "vocabulary": "national",
        "at": "2026-01-05T09:00:00+07:00",
        "unit": "Bộ phận Một cửa",
        "officer": "demo.officer",
        "note": "Đang xử lý",
    }
    return {
        "dossiers/dossier": {"headers": {}, "body": dossier},
        "dossiers/status": {"headers": {}, "body": status},
    }
