"""What is true of the land database, in the words of the gateway's own API and taken from the world alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.registry import Case, Truth
from sandbox.world.holdings import LandCertificate, Owner, Parcel
from sandbox.world.world import World
from schemas.identifiers import ParcelKey

_BEFORE = "2025-06-30"
_SINCE = "2025-07-01"


def odd_serial(world: World) -> str | None:
    """Return the serial of the one certificate for which the register has a status that nobody else knows."""
    serials = [parcel.certificate.serial for parcel in next(world.blocks()).parcels if parcel.certificate]
    return serials[-1] if len(serials) > 1 else None


def truth(world: World) -> Iterator[Truth]:
    """Yield every parcel by its present and its former key, and every certificate."""
    odd = odd_serial(world)
    for block in world.blocks():
        for parcel in block.parcels:
            record = _parcel(parcel, odd)
            yield Truth("parcel", {**_key(parcel.key), "on": _SINCE}, record)
            if _fitting(world, parcel.key) == {parcel.key}:
                yield Truth("parcel", _key(parcel.key.canonical()), record)
            if parcel.old_key is not None:
                yield Truth("parcel", {**_key(parcel.old_key), "on": _BEFORE}, record)
            if parcel.certificate is not None:
                yield Truth(
                    "certificate", {"serial": parcel.certificate.serial}, _certificate(parcel.certificate, parcel, odd)
                )


def cases(world: World) -> list[Case]:
    """Return the parcels and certificates that every caller has to be able to handle."""
    held = world.cases
    merged, nothing = held["merged-commune"].parcel, held["no-certificate"].number
    found = [Case("certificate", "no-record", {"serial": nothing}, 404, "no-record")]
    if merged is not None:
        found.append(Case("parcel", "merged-commune", {**_key(merged.key), "on": _SINCE}))
        if merged.old_key is not None:
            found.append(Case("parcel", "old-commune", {**_key(merged.old_key), "on": _BEFORE}))
        # Half a thousand sheets and numbers exist at most.
        absent = {"commune": merged.key.commune, "sheet": "9999", "parcel": "9999"}
        found.append(Case("parcel", "no-record", absent, 404, "no-record"))
    odd = odd_serial(world)
    if odd is not None:
        found.append(Case("certificate", "warning", {"serial": odd}, 200, "unmapped-code"))
    return found


def _fitting(world: World, key: ParcelKey) -> set[ParcelKey]:
    """The parcels that have or had this key."""
    return {one.key for one in (world.parcel(key), world.parcel_by_old_key(key)) if one is not None}


def _key(key: ParcelKey) -> dict[str, str]:
    return {"commune": key.commune, "sheet": key.sheet, "parcel": key.parcel}


def _said(value: str | None) -> str | None:
    return None if value is not None and value.isspace() else value


def _status(certificate: LandCertificate, odd: str | None) -> str | None:
    return None if certificate.serial == odd else certificate.status


def _parcel(parcel: Parcel, odd: str | None) -> dict[str, Any]:
    old, certificate = parcel.old_key, parcel.certificate
    return {
        "province": parcel.place.province,
        **_key(parcel.key),
        "old_commune": old.commune if old else None,
        "old_sheet": old.sheet if old else None,
        "old_parcel": old.parcel if old else None,
        "area": parcel.area,
        "legal_area": parcel.legal_area,
        "address": _said(parcel.address.detail),
        "purposes": _purposes(parcel),
        "owners": [_owner(one) for one in parcel.owners],
        "certificate": {
            "serial": certificate.serial,
            "entry_number": _said(certificate.entry),
            "status": _status(certificate, odd),
        }
        if certificate
        else None,
        "note": _said(parcel.note),
    }


def _certificate(certificate: LandCertificate, parcel: Parcel, odd: str | None) -> dict[str, Any]:
    return {
        "serial": certificate.serial,
        "entry_number": _said(certificate.entry),
        "barcode": _said(certificate.barcode),
        "issued_on": certificate.issued_on.isoformat(),
        "issuer": certificate.issuer,
        "status": _status(certificate, odd),
        **_key(parcel.key),
        "area": parcel.area,
        "purposes": _purposes(parcel),
        "owners": [_owner(one) for one in parcel.owners],
    }


def _purposes(parcel: Parcel) -> list[dict[str, str | None]]:
    return [
        {"sign": one.sign, "area": one.area, "until": one.until.isoformat() if one.until else None}
        for one in parcel.purposes
    ]


def _owner(owner: Owner) -> dict[str, str | None]:
    number = owner.document or ""
    return {
        "kind": "person" if owner.person is not None else "enterprise",
        "name": _said(owner.name),
        "personal_id": number if owner.person is not None and len(number) == 12 else None,
        "old_id_card": number if owner.person is not None and len(number) == 9 else None,
        "enterprise_code": owner.enterprise,
        "share": _said(owner.share),
    }
