"""What the page about dossiers says of statuses is what the rules do."""

import re
import tomllib
from typing import get_args

from schemas.dossiers.ordering import Reason, Result
from schemas.dossiers.statuses import NATIONAL
from schemas.dossiers.transitions import ALLOWED, Flag, Mode, judge
from schemas.dossiers.vocabularies import VOCABULARIES, Meaning, configured, meaning
from tests.test_docs.pages import blocks, rows, section, text_of

PAGE = text_of("docs/dossiers.md")


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_statuses() -> None:
    told = rows(section(PAGE, "### 1.1 The ten national statuses"))
    real = [
        [
            f"`{one.code}`",
            f"{one.title.vi}, {one.title.en[0].lower()}{one.title.en[1:]}",
            f"`{one.degree.slug}`",
            f"`{one.group}`" if one.group else "",
            "yes" if one.final else "",
        ]
        for one in NATIONAL.values()
    ]
    assert told == real


def test_the_vocabularies() -> None:
    told = section(PAGE, "### 1.2 Vocabularies")
    assert {name for row in rows(told) for name in codes(row[0])} >= VOCABULARIES.keys()
    insurance = [row for row in rows(told) if len(row) == 4]
    assert len(insurance) == 5
    for number, words, national, _ in insurance:
        for said in (*codes(number), words):
            assert meaning(VOCABULARIES, "bhxh", said) == Meaning(codes(national)[0])
    (example,) = blocks(told)
    added = configured(tomllib.loads(example)["vocabularies"])
    assert meaning(added, "lam-dong", "CHO_KY") == Meaning("4")
    assert meaning(added, "opencps-example", "unresolved") == Meaning("8")


def test_the_table_of_transitions() -> None:
    told = [row for row in rows(section(PAGE, "### 1.3 What may follow what")) if len(row) == 2]
    assert {row: set(codes(to)) for start, to in told for row in codes(start)} == {
        row: set(to) for row, to in ALLOWED.items()
    }


def test_the_outcomes_of_each_mode() -> None:
    told = {row[0]: row for row in rows(section(PAGE, "### 1.3 What may follow what")) if len(row) == 5}
    examples = {
        "in the table": ("2", "4", False),
        "the same status in another event: the next unit or officer has taken over": ("4", "4", False),
        "not in the table, but further on along it (`2` → `10`)": ("2", "10", False),
        "the same, and a predecessor was waited for in vain": ("2", "10", True),
        "back, or aside (`9` → `4`, `2` → `3`)": ("9", "4", False),
        "anything else after `3`, `7` or `10`": ("7", "4", False),
    }
    assert told.keys() - examples.keys() == {"`10` where `9` was not the status before"}
    for kind, (current, new, lost) in examples.items():
        _, flag, *outcomes = told[kind]
        for mode, outcome in zip(get_args(Mode), outcomes, strict=True):
            found = judge(current, new, mode, lost=lost)
            assert {"deliver": "sent", "quarantine": "quarantine"}[found.action] == outcome
            assert codes(flag) == list(found.flags[:1])
    assert {one for row in told.values() for one in codes(row[1])} == set(get_args(Flag))


def test_every_result_and_reason_of_the_order() -> None:
    told = [code for row in rows(section(PAGE, "### 1.4 Order")) for code in codes(row[1])]
    assert set(told) == {*get_args(Result), *get_args(Reason)}
