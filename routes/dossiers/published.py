"""The routes of dossiers, put together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from routes.dossiers.inbox import Box, get_filed, get_inbox, post_acknowledgement
from routes.dossiers.lines import Refused
from routes.dossiers.public import get_public
from routes.dossiers.pushing import Means, post_status, put_dossier
from routes.dossiers.reconciling import (
    Comparing,
    get_reconciliation,
    get_reconciliations,
    post_reconciliation,
)
from routes.dossiers.repairs import Mending, get_destinations, post_group, post_retry_one
from routes.dossiers.statistics import get_statistics
from routes.dossiers.stream import post_stream
from routes.dossiers.viewing import Looks, get_deliveries, get_dossier
from routes.guests import Guests
from schemas.exchange import Caller
from schemas.ids import new_id
from security.audit.entries import Evidence
from security.audit.log import AuditLog
from security.audit.trail import named
from sync.acknowledging import Acknowledging

# The stream is no dossier.
_DOSSIER = "/v1/dossiers/{code:(?!statuses$)[^/]+}"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with; `guests` limits public look-ups."""

    means: Means
    looks: Looks
    mending: Mending
    guests: Guests


def add_dossiers(router: web.UrlDispatcher, parts: Parts) -> None:
    """Add every route of dossiers."""
    means, looks, mending = parts.means, parts.looks, parts.mending
    box = Box(looks, Acknowledging(looks.storage, looks.log, looks.opener, means.intake), means.max_body)
    router.add_post("/v1/dossiers/statuses", post_stream(means.intake, refusing(looks.log), means.max_body))
    router.add_put(_DOSSIER, put_dossier(means))
    router.add_get(_DOSSIER, get_dossier(looks))
    router.add_post("/v1/dossiers/{code}/statuses", post_status(means))
    router.add_get("/v1/deliveries", get_deliveries(looks))
    router.add_post("/v1/deliveries/retry", post_group(mending, "retry"))
    router.add_post("/v1/deliveries/discard", post_group(mending, "discard"))
    router.add_post("/v1/deliveries/{id}/retry", post_retry_one(mending))
    router.add_get("/v1/destinations", get_destinations(mending))
    router.add_get("/v1/inbox/dossiers", get_inbox(box))
    router.add_get("/v1/inbox/dossiers/{code}", get_filed(box))
    router.add_post("/v1/inbox/dossiers/{code}/ack", post_acknowledgement(box))
    comparing = Comparing(looks, mending.destinations, mending.max_body)
    router.add_post("/v1/reconciliations", post_reconciliation(comparing))
    router.add_get("/v1/reconciliations", get_reconciliations(comparing))
    router.add_get("/v1/reconciliations/{id}", get_reconciliation(comparing))
    router.add_get("/v1/statistics", get_statistics(looks))
    router.add_get("/v1/public/dossiers/{code}", get_public(looks.storage, parts.guests))


def refusing(log: AuditLog) -> Refused:
    """Make what leaves evidence of refused lines."""

    async def record(caller: Caller, request_id: str, errors: Counter[str]) -> object:
        return await log.record(
            Evidence(
                id=new_id(),
                kind="unreadable",
                at=datetime.now(UTC),
                caller=named(caller),
                database="dossiers",
                operation="statuses",
                request_id=request_id,
                details={"refused_lines": dict(errors)},
            )
        )

    return record
