"""One block of the world: up to 20 people and everything about them, made from the seed and the block's number."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.world import business, cases, land
from sandbox.world.chance import Dice, Numbering
from sandbox.world.civil import Clerk
from sandbox.world.families import BLOCK, Families, families
from sandbox.world.holdings import Enterprise, Insurance, Parcel, Taxpayer
from sandbox.world.insurance import insurances
from sandbox.world.model import BirthRecord, DeathRecord, Household, MaritalState, MarriageRecord, Person
from sandbox.world.people import Numberings, Registrar
from sandbox.world.tax import taxpayers


@dataclass(frozen=True, slots=True)
class Block:
    """Everything about up to 20 people, mappings by index of the person, in order of index."""

    people: Mapping[int, Person]
    households: tuple[Household, ...]
    births: Mapping[int, BirthRecord]
    marriages: tuple[MarriageRecord, ...]
    deaths: Mapping[int, DeathRecord]
    marital: Mapping[int, MaritalState]
    insurances: Mapping[int, Insurance]
    enterprises: tuple[Enterprise, ...]
    taxpayers: tuple[Taxpayer, ...]
    parcels: tuple[Parcel, ...]


@dataclass(frozen=True, slots=True)
class Serials:
    """All the keyed numberings of a world."""

    people: Numberings
    enterprise: Numbering
    journal: Numbering
    land: land.LandNumberings

    @staticmethod
    def of(seed: int) -> "Serials":
        """The numberings of the world with this seed."""
        return Serials(
            people=Numberings(
                personal_id=Numbering(seed, "personal-id"),
                id_card=Numbering(seed, "id-card"),
                social_insurance=Numbering(seed, "social-insurance"),
                household=Numbering(seed, "household"),
            ),
            enterprise=Numbering(seed, "enterprise"),
            journal=Numbering(seed, "journal"),
            land=land.LandNumberings(
                parcel=Numbering(seed, "parcel"),
                old_parcel=Numbering(seed, "old-parcel"),
                certificate=Numbering(seed, "certificate"),
            ),
        )


def make_families(seed: int, number: int, population: int) -> Families:
    """Who lives in the block; the last block of the population may be smaller than the others."""
    dice = Dice(seed, "block", number)
    first = number * BLOCK
    return families(dice, first, min(BLOCK, population - first)) if number else cases.case_families(dice)


def make_block(seed: int, number: int, population: int, serials: Serials) -> Block:
    """Everything about the people of the block."""
    made = make_families(seed, number, population)
    registrar = Registrar(seed, serials.people, made)
    persons = registrar.people()
    people = {person.index: person for person in persons}
    households = registrar.households(people)
    clerk = Clerk(seed, registrar, people)
    marriages = clerk.marriages(made.unions)
    owned = business.enterprises(seed, number, serials.enterprise, serials.journal, persons)
    return Block(
        people=people,
        households=households,
        births=clerk.births(),
        marriages=marriages,
        deaths=clerk.deaths(),
        marital=clerk.states(marriages),
        insurances=insurances(seed, serials.people.social_insurance, people),
        enterprises=tuple(owned),
        taxpayers=tuple(taxpayers(seed, owned, people)),
        parcels=tuple(land.Surveyor(seed, number, serials.land, people).parcels(households, owned)),
    )
