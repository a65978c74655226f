"""The truth by itself: the same from every process, in words that the API takes, and complete."""

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from adapters import DATABASES
from sandbox.registry import Registry, Truth
from sandbox.run import REGISTRIES
from sandbox.truth import cases, dump, samples
from sandbox.world.world import World
from schemas.fields import Branch, Shape, shape_of

OPERATIONS = {(database.name, operation.name): operation for database in DATABASES for operation in database.operations}
_PROGRAM = """
import hashlib, sys
from sandbox.run import REGISTRIES
from sandbox.truth import dump
from sandbox.world.world import World
print(hashlib.sha256("\\n".join(dump(World(int(sys.argv[1]), int(sys.argv[2])), REGISTRIES)).encode()).hexdigest())
"""


def _elsewhere(seed: int, people: int, hashing: str) -> str:
    """The digest of a dump made by another process on another day's time zone and hash seed."""
    environment = {**os.environ, "PYTHONHASHSEED": hashing, "TZ": "Pacific/Auckland" if hashing == "1" else "UTC"}
    command = [sys.executable, "-c", _PROGRAM, str(seed), str(people)]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_every_process_dumps_the_same() -> None:
    here = "\n".join(dump(World(5, 20), REGISTRIES)).encode()
    assert _elsewhere(5, 20, "1") == _elsewhere(5, 20, "0") == hashlib.sha256(here).hexdigest()


def test_other_seeds_are_other_worlds() -> None:
    assert list(dump(World(5, 20), REGISTRIES)) != list(dump(World(6, 20), REGISTRIES))


def test_the_order_of_questions_does_not_change_the_truth() -> None:
    asked_before = World(5, 60)
    asked_before.find_people("Nguyễn Văn An", "1990")
    for index in reversed(range(60)):
        asked_before.person(index)
    assert list(dump(asked_before, REGISTRIES)) == list(dump(World(5, 60), REGISTRIES))


@pytest.fixture(scope="module")
def world() -> World:
    return World(11, 120)


@pytest.fixture(scope="module")
def sentences(world: World) -> dict[tuple[str, str], list[Truth]]:
    found: dict[tuple[str, str], list[Truth]] = defaultdict(list)
    for registry in REGISTRIES:
        for truth in registry.truth(world):
            found[registry.name, truth.operation].append(truth)
    return found


def _members(shape: Shape, data: Any, at: str = "") -> list[str]:
    """Where data and shape do not have the same members."""
    if data is None:
        return []
    wrong = [f"{at}: {sorted(data)}"] if set(data) != {member.name for member in shape.members} else []
    for member in shape.members:
        value = data.get(member.name)
        if member.many and not isinstance(value, list):
            wrong.append(f"{at}.{member.name} is no list")
        elif isinstance(member, Branch):
            for item in value if isinstance(value, list) else [value]:
                wrong += _members(member.shape, item, f"{at}.{member.name}")
    return wrong


@pytest.mark.parametrize("key", OPERATIONS, ids="/".join)
def test_every_operation_has_sentences_in_its_own_words(
    key: tuple[str, str], sentences: dict[tuple[str, str], list[Truth]]
) -> None:
    operation = OPERATIONS[key]
    shape = shape_of(operation.answer)
    assert sentences[key]
    for truth in sentences[key]:
        operation.question.model_validate(dict(truth.request))
        answer: BaseModel = operation.answer.model_validate(dict(truth.answer))
        assert answer.model_dump() == truth.answer
        assert not _members(shape, truth.answer)


def test_lines_are_what_the_contract_says(world: World) -> None:
    for line in dump(world, REGISTRIES):
        assert list(json.loads(line)) == ["database", "operation", "request", "answer"]
        assert "\n" not in line


def test_the_same_person_is_the_same_in_every_database(sentences: dict[tuple[str, str], list[Truth]]) -> None:
    people = {one.answer["personal_id"]: one.answer for one in sentences["population", "person"]}
    owners = [owner for one in sentences["land", "parcel"] for owner in one.answer["owners"] if owner["personal_id"]]
    payers = [one.answer for one in sentences["tax", "taxpayer"] if one.answer["personal_id"]]
    acting = [
        who for one in sentences["tax", "taxpayer"] for who in one.answer["representatives"] if who["personal_id"]
    ]
    assert owners
    assert payers
    assert acting
    for found, name in ((owners, "name"), (payers, "name"), (acting, "full_name")):
        for one in found:
            assert people[one["personal_id"]]["full_name"] == one[name]


def test_values_of_every_kind_occur(sentences: dict[tuple[str, str], list[Truth]]) -> None:
    people = [one.answer for one in sentences["population", "person"]]
    assert {len(one["birth_date"]) for one in people} == {4, 7, 10}
    assert {type(one["note"]) for one in people} == {str, type(None)}
    assert "" in {one["note"] for one in people}
    assert {bool(one["permanent_residence"]["district"]) for one in people} == {True, False}
    assert any(one["death_date"] for one in people)
    assert {len(one.answer["tax_code"].replace("-", "")) for one in sentences["tax", "taxpayer"]} == {10, 12, 13}
    assert {len(one.answer["owners"]) for one in sentences["land", "parcel"]} >= {1, 2}
    assert any(one.answer["area"].endswith("0") for one in sentences["land", "parcel"])
    assert {one.answer["related"] for one in sentences["population", "relation"]} == {True, False}


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), people=st.integers(20, 60))
def test_any_world_has_cases_and_samples(seed: int, people: int) -> None:
    world = World(seed, people)
    found = cases(world, REGISTRIES)
    for key, held in found.items():
        database, _, operation = key.partition("/")
        for case in held:
            OPERATIONS[database, operation].question.model_validate(dict(case["body"]))
            assert (case["status"], case["code"]) == (200, case["code"]) or case["status"] in (404, 409)
    by_database = {registry.name: registry.cases(world) for registry in REGISTRIES}
    assert all(any(case.code == "no-record" for case in held) for held in by_database.values())
    names = [
        f"{database}/{operation}" for database, operation in OPERATIONS if database in ("population", "land", "tax")
    ]
    assert set(samples(world, REGISTRIES, names)) == set(names)
    population = {case.name for case in by_database["population"]}
    assert population >= {"no-record", "ambiguous", "deceased", "year-only-birth", "name-change", "warning"}


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.name)
def test_one_database_dumps_alone(registry: Registry) -> None:
    world = World(3, 40)
    alone = list(dump(world, [registry]))
    assert alone == [line for line in dump(world, REGISTRIES) if json.loads(line)["database"] == registry.name]
