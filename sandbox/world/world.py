"""The world: the same people in population, civil status, insurance, business, tax and land, found by any identifier.

Nothing is stored but a few hundred recently used blocks. The six serial digits in every identifier are a keyed
permutation of an index, so a question leads by arithmetic to the block of 20 people that holds the answer; only a
search by name needs an index (`naming`).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache

from sandbox.world import business, land
from sandbox.world.block import Block, Serials, make_block
from sandbox.world.chance import NUMBERS, Numbering
from sandbox.world.families import BLOCK
from sandbox.world.holdings import Branch, Enterprise, Insurance, LandCertificate, Parcel, Taxpayer
from sandbox.world.model import BirthRecord, DeathRecord, Household, MaritalState, MarriageRecord, Person
from sandbox.world.naming import Names, folded
from sandbox.world.showcase import Case, collect
from schemas.identifiers import ParcelKey


class World:
    """The generated population for one seed and number of people (20 to 1,000,000); raises ValueError outside that.

    Look-ups answer None (or an empty tuple) when nobody has the identifier, whatever its shape.
    """

    def __init__(self, seed: int, people: int) -> None:
        if not BLOCK <= people <= NUMBERS:
            raise ValueError(f"a world has between {BLOCK} and {NUMBERS} people")
        self.seed = seed
        self.people = people
        self.names = Names(seed, people)
        self._serials = Serials.of(seed)
        self._block: Callable[[int], Block] = lru_cache(maxsize=256)(self._make)

    def blocks(self) -> Iterator[Block]:
        """Everything, in order of index, each block made as it is asked for."""
        return map(self._block, range(-(-self.people // BLOCK)))

    # --- people and civil status ---------------------------------------------------------------------------------

    def person(self, index: int) -> Person:
        """The person at `index`; raises IndexError outside 0..people-1."""
        if not 0 <= index < self.people:
            raise IndexError("no such person")
        return self._block(index // BLOCK).people[index]

    def person_by_id(self, personal_id: str) -> Person | None:
        """The person with this personal number (12 digits)."""
        return self._holder(self._serials.people.personal_id, personal_id, 12, lambda one: one.personal_id)

    def person_by_old_card(self, old_id_card: str) -> Person | None:
        """The person with this old identity card (9 digits)."""
        return self._holder(self._serials.people.id_card, old_id_card, 9, lambda one: one.old_id_card)

    def find_people(self, full_name: str, birth: str) -> tuple[Person, ...]:
        """Everybody of this name (case and Unicode form do not count, former names neither) whose birth date as the
        registry has it equals `birth`, or begins with it when only YYYY or YYYY-MM is asked; in order of index.

        The first search of a large world waits for its index, which takes long: not for an event loop.
        """
        asked = folded(full_name)
        people = (self.person(index) for index in self.names.find(asked, birth[:4]))
        return tuple(
            one
            for one in people
            if folded(one.full_name) == asked and (one.birth.text == birth or one.birth.text.startswith(f"{birth}-"))
        )

    def household(self, number: str) -> Household | None:
        """The household with this number (9 digits)."""
        if (block := self._around(self._serials.people.household, number, 9, 1)) is None:
            return None
        return next((one for one in block.households if one.number == number), None)

    def birth(self, index: int) -> BirthRecord | None:
        """The birth record of a person."""
        return self._of(index).births.get(index)

    def marriages(self, index: int) -> tuple[MarriageRecord, ...]:
        """The marriage records of a person, in order of the marriages."""
        held = (one for one in self._of(index).marriages if index in (one.husband.index, one.wife.index))
        return tuple(sorted(held, key=lambda one: one.effective_on))

    def death(self, index: int) -> DeathRecord | None:
        """The death record of a person."""
        return self._of(index).deaths.get(index)

    def marital_state(self, index: int) -> MaritalState:
        """The marital status of a person by the civil status books."""
        return self._of(index).marital[index]

    # --- insurance, business, tax --------------------------------------------------------------------------------

    def insurance(self, index: int) -> Insurance | None:
        """The insurance of a person."""
        return self._of(index).insurances.get(index)

    def insurance_by_number(self, number: str) -> Insurance | None:
        """The participant with this social insurance number (10 digits)."""
        block = self._around(self._serials.people.social_insurance, number, 10, 1)
        held = block.insurances.values() if block else ()
        return next((one for one in held if one.number == number), None)

    def insurance_by_card(self, card: str) -> Insurance | None:
        """The participant with this health card: 15 characters, or the 10 digits that newer cards print."""
        found = self.insurance_by_number(card[-10:])
        return found if found and found.card and card in (found.card.code, found.number) else None

    def enterprise(self, code: str) -> Enterprise | None:
        """The enterprise with this code (10 digits)."""
        return next((one for one in self._businesses(code[:10]) if one.code == code), None)

    def branch(self, code: str) -> Branch | None:
        """The branch with this code (13 digits, with or without dash)."""
        plain = code.replace("-", "")
        branches = (branch for one in self._businesses(plain[:10]) for branch in one.branches)
        return next((branch for branch in branches if branch.code.replace("-", "") == plain), None)

    def enterprise_by_journal(self, journal_no: str) -> Enterprise | None:
        """The enterprise whose latest registration dossier has this journal number (8 digits)."""
        block = self._around(self._serials.journal, journal_no, 8, business.SLOTS)
        held = block.enterprises if block else ()
        return next((one for one in held if one.registration.journal_no == journal_no), None)

    def taxpayer(self, code: str) -> Taxpayer | None:
        """The taxpayer with this code: 10 digits, 13 (with or without dash) or 12."""
        plain = code.replace("-", "")
        if len(plain) == 12:
            block = self._around(self._serials.people.personal_id, plain, 12, 1)
        else:
            block = self._around(self._serials.enterprise, plain[:9], 9, business.SLOTS)
        held = block.taxpayers if block else ()
        return next((one for one in held if one.code.replace("-", "") == plain), None)

    # --- land ----------------------------------------------------------------------------------------------------

    def parcel(self, key: ParcelKey) -> Parcel | None:
        """The parcel with this key of since July 2025; leading zeros of sheet and number do not count."""
        return self._parcel(self._serials.land.parcel, key, lambda one: one.key)

    def parcel_by_old_key(self, key: ParcelKey) -> Parcel | None:
        """The parcel that had this key until June 2025."""
        return self._parcel(self._serials.land.old_parcel, key, lambda one: one.old_key)

    def certificate(self, serial: str) -> tuple[LandCertificate, Parcel] | None:
        """The land certificate with this serial, as printed, and its parcel."""
        block = self._around(self._serials.land.certificate, serial[-6:], 6, land.SLOTS)
        for parcel in block.parcels if block else ():
            if parcel.certificate is not None and parcel.certificate.serial == serial:
                return parcel.certificate, parcel
        return None

    @cached_property
    def cases(self) -> Mapping[str, Case]:
        """The hard cases every world has, by name."""
        return collect(self._block(0))

    # --- how things are found ------------------------------------------------------------------------------------

    def _make(self, number: int) -> Block:
        return make_block(self.seed, number, self.people, self._serials)

    def _of(self, index: int) -> Block:
        self.person(index)
        return self._block(index // BLOCK)

    def _around(self, numbering: Numbering, value: str, length: int, per_block: int) -> Block | None:
        """The block that would hold the thing whose identifier ends in the serial digits, `per_block` things a block
        (1: the thing is a person).
        """
        if len(value) != length or not (value[-6:].isascii() and value[-6:].isdigit()):
            return None
        index = numbering.index(value[-6:])
        number = index // (BLOCK if per_block == 1 else per_block)
        return self._block(number) if number * BLOCK < self.people else None

    def _holder(
        self, numbering: Numbering, value: str, length: int, identifier: Callable[[Person], str | None]
    ) -> Person | None:
        block = self._around(numbering, value, length, 1)
        return next((one for one in block.people.values() if identifier(one) == value), None) if block else None

    def _businesses(self, code: str) -> tuple[Enterprise, ...]:
        block = self._around(self._serials.enterprise, code[:9], 9, business.SLOTS)
        return block.enterprises if block else ()

    def _parcel(self, numbering: Numbering, key: ParcelKey, of: Callable[[Parcel], ParcelKey | None]) -> Parcel | None:
        if (serial := land.serial_digits(key)) is None:
            return None
        block = self._around(numbering, serial, 6, land.SLOTS)
        for parcel in block.parcels if block else ():
            if (held := of(parcel)) is not None and held.canonical() == key.canonical():
                return parcel
        return None
