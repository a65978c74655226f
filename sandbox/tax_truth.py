"""What is true of the taxpayer register, in the words of the gateway's own API and taken from the world alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sandbox.registry import Case, Truth
from sandbox.world.holdings import Obligation, Taxpayer
from sandbox.world.world import World
from schemas.codes.statuses import TAX_STATUSES

_DATED = 18


def is_dated(taxpayer: Taxpayer) -> bool:
    """Tell whether the register still has a status for this taxpayer that the catalogue no longer lists."""
    return taxpayer.person == _DATED


def truth(world: World) -> Iterator[Truth]:
    """Yield what is registered for every taxpayer and what it owed, as a whole and in a time."""
    for block in world.blocks():
        for number, taxpayer in enumerate(block.taxpayers):
            asked = taxpayer.code.replace("-", "") if number % 2 else taxpayer.code
            yield Truth("taxpayer", {"tax_code": asked}, _registration(world, taxpayer))
            yield Truth("obligations", {"tax_code": asked}, _owed(taxpayer, taxpayer.obligations))
            if taxpayer.obligations:
                yield _in_a_time(taxpayer)


def cases(world: World) -> list[Case]:
    """Return the taxpayers whom every caller has to be able to handle."""
    held = world.cases
    everybody = [one for block in _first(world) for one in block.taxpayers]
    closed = next((one for one in everybody if one.status == "01"), None)
    dated = next(one for one in everybody if is_dated(one))
    business, branch = held["household-business"].taxpayer, held["branch"].taxpayer
    several, nobody = held["several-representatives"].enterprise, held["no-enterprise"].number
    found = [
        Case("taxpayer", "no-record", {"tax_code": nobody}, 404, "no-record"),
        Case("obligations", "no-record", {"tax_code": nobody}, 404, "no-record"),
        Case("taxpayer", "warning", {"tax_code": dated.code}, 200, "unmapped-code"),
    ]
    if business is not None:
        found.append(Case("taxpayer", "household-business", {"tax_code": business.code}))
    if branch is not None:
        found.append(Case("taxpayer", "branch", {"tax_code": branch.code}))
    if several is not None:
        found.append(Case("taxpayer", "several-representatives", {"tax_code": several.code}))
    if closed is not None:
        found.append(Case("taxpayer", "deceased" if closed.person is not None else "closed", {"tax_code": closed.code}))
    return found


def _first(world: World) -> Iterator[Any]:
    """The blocks that every world of this size has first; enough to find every kind of taxpayer in."""
    for number, block in enumerate(world.blocks()):
        if number == 50:
            return
        yield block


def _registration(world: World, taxpayer: Taxpayer) -> dict[str, Any]:
    person = world.person(taxpayer.person) if taxpayer.person is not None else None
    enterprise = world.enterprise(taxpayer.code) if taxpayer.kind == "enterprise" else None
    branch = world.branch(taxpayer.code) if taxpayer.kind == "branch" else None
    acting = enterprise.representatives if enterprise else (branch.head,) if branch else ()
    place = taxpayer.address.place
    return {
        "tax_code": taxpayer.code,
        "kind": taxpayer.kind,
        "type_code": taxpayer.type_code,
        "name": _said(taxpayer.name),
        "business_name": _said(taxpayer.business_name),
        "personal_id": person.personal_id if person else None,
        "parent_tax_code": taxpayer.parent,
        "status": None if is_dated(taxpayer) else TAX_STATUSES[taxpayer.status].slug,
        "tax_office": taxpayer.authority,
        "tax_office_name": taxpayer.authority_name,
        "registered_on": taxpayer.registered_on.isoformat(),
        "closed_on": taxpayer.closed_on.isoformat() if taxpayer.closed_on else None,
        "address": {
            "province": place.province if place else None,
            "district": place.district if place else None,
            "commune": place.commune if place else None,
            "detail": _said(taxpayer.address.detail),
            "country": taxpayer.address.country,
        },
        "representatives": [
            {
                "full_name": _said(one.full_name),
                "personal_id": world.person(one.person).personal_id,
                "position": _said(one.position),
            }
            for one in acting
        ],
        "branches": [
            {"tax_code": one.code, "name": _said(one.name), "status": _status(world, one.code)}
            for one in (enterprise.branches if enterprise else ())
        ],
    }


def _status(world: World, code: str) -> str | None:
    registered = world.taxpayer(code)
    return TAX_STATUSES[registered.status].slug if registered else None


def _said(value: str | None) -> str | None:
    return None if value is not None and value.isspace() else value


def _owed(taxpayer: Taxpayer, held: tuple[Obligation, ...]) -> dict[str, Any]:
    return {
        "tax_code": taxpayer.code,
        "name": _said(taxpayer.name),
        "as_of": "2026-01-01T00:00:00+07:00",
        "currency": "VND",
        "count": len(held),
        "total_assessed": _total([one.assessed for one in held]),
        "total_paid": _total([one.paid for one in held]),
        "total_outstanding": _total([one.outstanding for one in held]),
        "items": [
            {
                "period": one.period,
                "item": one.item,
                "item_name": one.title,
                "due_on": one.due_on.isoformat(),
                "assessed": one.assessed,
                "paid": one.paid,
                "penalty": one.penalty,
                "outstanding": one.outstanding,
            }
            for one in held
        ],
    }


def _total(amounts: list[str]) -> str:
    return f"{sum(map(Decimal, amounts), Decimal(0)):.2f}"


def _in_a_time(taxpayer: Taxpayer) -> Truth:
    """The obligations up to and including the due date of the first one."""
    until = taxpayer.obligations[0].due_on
    held = tuple(one for one in taxpayer.obligations if one.due_on <= until)
    asked = {"tax_code": taxpayer.code, "due_from": "2000-01-01", "due_to": until.isoformat()}
    return Truth("obligations", asked, _owed(taxpayer, held))
