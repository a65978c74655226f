"""The people every world has, whatever its seed: the first block, arranged so that each hard case occurs.

Names, days, places and numbers still follow from the seed; who is related to whom and what is unusual does not.
"""

from collections.abc import Mapping
from datetime import date, timedelta

from sandbox.world.chance import Dice, years_later
from sandbox.world.families import Builder, Families, Twist
from sandbox.world.model import REFERENCE_DAY

SAME_BIRTH = (11, 12)
"""The two people who also share the place of birth registration."""

HOUSEHOLD_BUSINESS = 14
ONE_REPRESENTATIVE = (0,)
SEVERAL_REPRESENTATIVES = (8, 13, 17)


def case_families(dice: Dice) -> Families:
    """The first block of every world: twenty people with indexes from 0."""
    build = Builder(dice, 0)
    until = REFERENCE_DAY - timedelta(days=30)

    head = build.person("male", 44, 48)
    wife = build.person("female", 40, 44)
    union = build.marry(head, wife)
    wife.relation = "spouse"
    child = build.person("female", 8, 12, head.surname)
    grandmother = build.person("female", 72, 76)
    grandfather = build.person("male", 77, 80, head.surname)
    elder_union = build.marry(grandfather, grandmother)
    elder_union.on = years_later(head.born, -2)
    build.bury(grandfather, elder_union, date(2019, 1, 1))
    union.on = min(union.on, child.born - timedelta(days=400))
    child.father, child.mother, child.relation = head.index, wife.index, "child"
    head.father, head.mother = grandfather.index, grandmother.index
    grandmother.relation, grandmother.precision = "mother", "year"
    build.house(head, wife, child, grandmother)

    divorced = build.person("female", 44, 48)
    son = build.person("male", 20, 22)
    divorced.precision = "month"
    build.house(divorced, son)
    son.relation, son.mother = "child", divorced.index
    build.house(build.person("male", 74, 79))

    husband = build.person("male", 42, 47)
    spouse = build.person("female", 38, 43)
    union = build.marry(husband, spouse)
    spouse.relation = "spouse"
    young = build.person("male", 9, 14, husband.surname)
    young.father, young.mother, young.relation = husband.index, spouse.index, "child"
    union.on = min(union.on, young.born - timedelta(days=400))
    build.house(husband, spouse, young)

    twin = build.person("female", 28, 35)
    build.house(twin)
    other = build.person("female", 28, 35, twin.surname)
    other.middle, other.given, other.born = twin.middle, twin.given, twin.born
    build.house(other)

    father = build.person("male", 46, 52, son.surname)
    son.father = father.index
    union = build.marry(father, divorced)
    union.on = son.born - timedelta(days=500)
    build.divorce(father, union)
    union.ended_on = max(union.ended_on or until, years_later(son.born, 5))
    build.house(father)

    trader = build.person("male", 40, 46)
    partner = build.person("female", 36, 41)
    union = build.marry(trader, partner)
    partner.relation = "spouse"
    daughter = build.person("female", 6, 11, trader.surname)
    daughter.father, daughter.mother, daughter.relation = trader.index, partner.index, "child"
    union.on = min(union.on, daughter.born - timedelta(days=400))
    build.house(trader, partner, daughter)
    build.house(build.person("female", 30, 35))
    build.house(build.person("male", 52, 57))
    build.house(build.person("male", 25, 30))

    for index, twists in _TWISTS.items():
        build.made.people[index].twists = twists
    return build.made


_TWISTS: Mapping[int, frozenset[Twist]] = {
    2: frozenset(("missing",)),
    6: frozenset(("name-change",)),
    7: frozenset(("no-number",)),
    8: frozenset(("number-of-other-sex",)),
    9: frozenset(("number-of-other-year",)),
    10: frozenset(("born-abroad",)),
    15: frozenset(("decomposed",)),
    16: frozenset(("spaces",)),
    17: frozenset(("markup",)),
    18: frozenset(("zeros",)),
    19: frozenset(("empty",)),
}
