"""What the portal is told of an event: the question of its operation, from what its source said (nội dung gửi)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.dossiers.models import DossierBody, first_status
from schemas.portal import PortalDossier, PortalStep, ProgressQuestion, RegisterQuestion
from sync.leases import Claim


def step(claim: Claim, said: Mapping[str, Any]) -> PortalStep:
    """Return the step that an event is; raises ValueError for what the portal cannot be told."""
    event = claim.event
    if event.national is None:
        raise ValueError("the status has no national meaning")
    return PortalStep.of(event.code, event.national, said, sequence=event.sequence, event=event.event_id)


def dossier(claim: Claim, said: Mapping[str, Any]) -> PortalDossier:
    """Return the dossier as a registration or amendment says it; raises ValueError for what cannot be told.

    An amendment repeats the status that the portal holds: it says nothing of it.
    """
    content = {name: value for name, value in said.items() if name not in ("deliver", "status")}
    status = claim.standing or first_status(DossierBody.model_validate(dict(said)))
    return PortalDossier.model_validate({**content, "code": claim.event.code, "status": status})


def question(told: Sequence[PortalStep | PortalDossier], *, updating: bool) -> ProgressQuestion | RegisterQuestion:
    """Return the question of a batch, all of it steps or all of it dossiers; what is in it was validated before."""
    steps = [one for one in told if isinstance(one, PortalStep)]
    if steps:
        return ProgressQuestion.model_construct(steps=steps)
    dossiers = [one for one in told if isinstance(one, PortalDossier)]
    return RegisterQuestion.model_construct(updating=updating, dossiers=dossiers)
