"""The places where the people of the world live: communes of the sample list, before and since July 2025."""

from datetime import date
from functools import lru_cache

from sandbox.world.model import Place
from schemas.codes.communes import Commune, sample_communes
from schemas.codes.provinces import MERGER, province_name


def _place(commune: Commune) -> Place:
    return Place(
        province=commune.province,
        province_name=province_name(commune.province, commune.valid_from) or "",
        district=commune.district,
        district_name=commune.district_name,
        commune=commune.code,
        commune_name=commune.title,
        current=commune.valid_to is None,
    )


@lru_cache(maxsize=1)
def places_before() -> tuple[Place, ...]:
    """Every place of before the merger, ordered by code."""
    return tuple(_place(commune) for commune in sample_communes() if commune.valid_to is not None)


@lru_cache(maxsize=512)
def since(place: Place) -> Place:
    """The place that took over (the first one where the area was divided); a present place is itself."""
    commune = sample_communes().on(place.commune, date(2025, 6, 30))
    if place.current or commune is None:
        return place
    return _place(sample_communes().successors(commune)[0])


@lru_cache(maxsize=1)
def reused() -> Place:
    """The old place whose code is known to be reused with another name: 26740, Phường Bến Nghé."""
    return next(place for place in places_before() if place.commune == "26740")


@lru_cache(maxsize=512)
def before(place: Place) -> Place:
    """The place that was there before the merger (the first of those it took over); an old place is itself."""
    if not place.current:
        return place
    return next(old for old in places_before() if since(old).commune == place.commune)


def of_day(place: Place, day: date) -> Place:
    """The place as it was called and numbered on `day`."""
    return since(place) if day >= MERGER else before(place)
