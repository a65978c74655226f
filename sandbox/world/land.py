"""Parcels of land of one block, held by its people and enterprises, with their certificates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from sandbox.world import places
from sandbox.world.chance import Dice, Numbering
from sandbox.world.holdings import Enterprise, LandCertificate, Owner, Parcel, Purpose
from sandbox.world.model import REFERENCE_DAY, Address, Household, Person, Place
from schemas.codes.provinces import MERGER
from schemas.identifiers import ParcelKey

SLOTS = 20
"""Parcels a block can have at most."""

_HALF = 1000


@dataclass(frozen=True, slots=True)
class LandNumberings:
    """The serial numbers of parcels, of the same parcels before the merger, and of certificates."""

    parcel: Numbering
    old_parcel: Numbering
    certificate: Numbering


class Surveyor:
    """Measures the parcels of one block."""

    def __init__(self, seed: int, block: int, numberings: LandNumberings, people: Mapping[int, Person]) -> None:
        self._seed = seed
        self._block = block
        self._numberings = numberings
        self._people = people

    def parcels(self, households: Sequence[Household], owned: Sequence[Enterprise]) -> list[Parcel]:
        """The parcels: one or two of most households, one of some enterprises, never more than the block's slots."""
        holders: list[tuple[tuple[Owner, ...], Place]] = []
        for household in households:
            dice = Dice(self._seed, "land-of", household.head)
            place = household.address.place or places.reused()
            count = 1 if household.head < SLOTS else dice.pick((0, 1, 1, 1, 2))
            holders += [(self._owners(dice, household), place)] * count
        for enterprise in owned:
            if self._block == 0 or Dice(self._seed, "land-of", enterprise.code).chance(0.5):
                owner = Owner(None, enterprise.code, enterprise.name, enterprise.code, None)
                holders.append(((owner,), enterprise.address.place))
        return [self._parcel(number, *holder) for number, holder in enumerate(holders[:SLOTS])]

    def _owners(self, dice: Dice, household: Household) -> tuple[Owner, ...]:
        head = self._people[household.head]
        couple = [head]
        if head.spouse is not None and head.spouse.index is not None and (head.index == 0 or dice.chance(0.7)):
            couple.append(self._people[head.spouse.index])
        share = "1/2" if len(couple) == 2 else None
        return tuple(Owner(one.index, None, one.full_name, one.personal_id or one.old_id_card, share) for one in couple)

    def _parcel(self, number: int, owners: tuple[Owner, ...], place: Place) -> Parcel:
        slot = self._block * SLOTS + number
        dice = Dice(self._seed, "parcel", slot)
        old_place = None if place.current and number and dice.chance(0.3) else places.before(place)
        now = places.since(place)
        padded = slot == 1 or dice.chance(0.1)
        key = _key(now, self._numberings.parcel.of(slot), padded=padded)
        old_key = _key(old_place, self._numberings.old_parcel.of(slot), padded=padded) if old_place else None
        area = Decimal(dice.number(3_000, 900_000)) / 100
        business = owners[0].enterprise is not None
        return Parcel(
            key=key,
            old_key=old_key,
            place=now,
            old_place=old_place,
            area=_square_metres(dice, area),
            legal_area=dice.pick((None, _square_metres(dice, area), _square_metres(dice, area))),
            purposes=_purposes(dice, now, area, business=business),
            owners=owners,
            address=Address(now, dice.pick((None, "", f"Thửa đất số {key.parcel}, tờ bản đồ số {key.sheet}"))),
            certificate=self._certificate(dice, slot, key, now) if not number or dice.chance(0.85) else None,
            note=dice.pick((None, None, None, "", "Đo đạc chỉnh lý năm 2024")),
        )

    def _certificate(self, dice: Dice, slot: int, key: ParcelKey, place: Place) -> LandCertificate:
        digits = self._numberings.certificate.of(slot)
        issued = dice.day(date(2005, 1, 1), REFERENCE_DAY)
        new_form = issued >= date(2025, 1, 1)
        letters = "AA" if new_form else dice.pick(("AB", "BĐ", "BX", "CH", "CS", "DC", "ĐA"))
        status: Literal["valid", "mortgaged", "revoked"] = "valid"
        if slot and dice.chance(0.2):
            status = dice.pick(("mortgaged", "mortgaged", "revoked"))
        office = "Ủy ban nhân dân" if issued < MERGER else "Văn phòng đăng ký đất đai"
        return LandCertificate(
            serial=f"{letters} {'00' if new_form else ''}{digits}",
            entry=dice.pick((None, f"CS{dice.digits(5)}", f"CH {dice.digits(5)}", f"{dice.number(1, 99)} QSDĐ")),
            barcode=dice.pick((None, "", dice.digits(13), dice.digits(15))),
            issued_on=issued,
            issuer=f"{office} {place.province_name}",
            status=status,
            parcel=key,
        )


def serial_digits(key: ParcelKey) -> str | None:
    """The six digits that sheet and parcel number of a key stand for, or None when no parcel has such numbers."""
    if not (key.sheet.isdecimal() and key.parcel.isdecimal() and key.sheet.isascii() and key.parcel.isascii()):
        return None
    sheet, parcel = int(key.sheet) - 1, int(key.parcel) - 1
    return f"{sheet:03d}{parcel:03d}" if 0 <= sheet < _HALF and 0 <= parcel < _HALF else None


def _key(place: Place, serial: str, *, padded: bool) -> ParcelKey:
    sheet, parcel = int(serial[:3]) + 1, int(serial[3:]) + 1
    width = 5 if padded else 0
    return ParcelKey(place.commune, f"{sheet:0{width}d}", f"{parcel:0{width}d}")


def _square_metres(dice: Dice, area: Decimal) -> str:
    return str(area.quantize(Decimal(dice.pick(("0.1", "0.01", "0.10", "0.001")))))


def _purposes(dice: Dice, place: Place, area: Decimal, *, business: bool) -> tuple[Purpose, ...]:
    home = "ODT" if place.commune_name.startswith("Phường") else "ONT"
    if business:
        return (Purpose(dice.pick(("TMD", "SKC")), f"{area:.1f}", date(2025 + dice.number(10, 50), 12, 31)),)
    if dice.chance(0.5):
        return (Purpose(home, f"{area:.1f}", None),)
    part = (area / 3).quantize(Decimal("0.1"))
    other = dice.pick((("CLN", None), ("LUC", date(2063, 10, 15))))
    rest = area.quantize(Decimal("0.1")) - part
    return (Purpose(home, str(part), None), Purpose(other[0], str(rest), other[1]))
