"""Grants: which one counts, what it demands, and what of an answer it shows."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from schemas.errors import (
    DossierRequired,
    GatewayError,
    Invalid,
    OfficerRequired,
    PurposeRefused,
    PurposeRequired,
    Refused,
    SignatureRejected,
)
from schemas.exchange import Answer, Caller, CallerSignature, Credential, Database, Exchange, Grant, Notice
from schemas.fields import Record, said, shape_of
from security import policy
from security.policy import authorised, field_paths, mask_of

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PATHS = ["code", "colour", "place", "place.street", "place.owners", "place.owners.name", "place.owners.share", "tags"]
LEAVES = ["code", "colour", "place.street", "place.owners.name", "place.owners.share", "tags"]
FULL = {
    "code": "A",
    "colour": None,
    "place": {"street": "", "owners": [{"name": "x", "share": "1"}, {"name": "y", "share": None}]},
    "tags": ["a", "b"],
}

words = st.none() | st.text(max_size=3)
owners = st.none() | st.lists(st.fixed_dictionaries({}, optional={"name": words, "share": words}), max_size=3)
places = st.none() | st.fixed_dictionaries({}, optional={"street": words, "owners": owners})
things = st.fixed_dictionaries(
    {}, optional={"code": words, "colour": words, "place": places, "tags": st.none() | st.lists(words, max_size=2)}
)
chosen = st.frozensets(st.sampled_from(PATHS))


def values(data: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every value in data with its dotted path, lists of records looked through: the oracle of the masks."""
    if isinstance(data, dict):
        return [found for name, value in data.items() for found in values(value, f"{path}.{name}".strip("."))]
    if isinstance(data, list) and path == "place.owners":
        return [found for item in data for found in values(item, path)]
    return [(path, data)]


def under(path: str, chosen: frozenset[str]) -> bool:
    return any(path == item or path.startswith(item + ".") for item in chosen)


@given(things, chosen, st.none() | chosen.filter(bool))
def test_exactly_what_is_granted_and_asked_is_shown(
    declared: Database, data: dict[str, Any], granted: frozenset[str], asked: frozenset[str] | None
) -> None:
    mask = mask_of(declared.operations[0].answer, granted, asked)
    shown = mask.apply(data)

    def meant(path: str) -> bool:
        return under(path, granted) and (asked is None or under(path, asked))

    told = [(path, value) for path, value in values(shown) if path in LEAVES]
    assert told == [(path, value) for path, value in values(data) if path in LEAVES and meant(path)]
    assert {path for path in LEAVES if under(path, frozenset(mask.fields))} == {path for path in LEAVES if meant(path)}
    # Nothing that is shown partly may be named as a whole.
    assert all(not under(other, frozenset({path})) for path in mask.fields for other in mask.fields if other != path)


@given(chosen, st.sampled_from(LEAVES))
def test_a_warning_is_kept_when_its_field_is(declared: Database, granted: frozenset[str], leaf: str) -> None:
    mask = mask_of(declared.operations[0].answer, granted, None)
    pointer = "/data/" + leaf.replace("place.owners.", "place/owners/0/").replace(".", "/")
    assert mask.covers(pointer) == under(leaf, granted)
    assert mask.covers("/data")
    assert mask.covers("")
    assert not mask.covers("/other")


def test_a_warning_about_a_partly_hidden_record_is_dropped(declared: Database) -> None:
    mask = mask_of(declared.operations[0].answer, frozenset({"place.street"}), None)
    assert not mask.covers("/data/place")
    assert mask.covers("/data/place/street")


def test_masks_know_absent_null_and_empty(declared: Database) -> None:
    mask = mask_of(declared.operations[0].answer, frozenset({"colour", "place.street", "place.owners.name"}), None)
    assert mask.apply(FULL) == {"colour": None, "place": {"street": "", "owners": [{"name": "x"}, {"name": "y"}]}}
    assert mask.apply({"place": None}) == {"place": None}
    assert mask.apply({"place": {"owners": None}}) == {"place": {"owners": None}}
    assert mask.fields == ("colour", "place.street", "place.owners.name")


def test_what_is_granted_as_a_whole_is_not_copied_and_what_nobody_declared_is_dropped(declared: Database) -> None:
    mask = mask_of(declared.operations[0].answer, frozenset({"code", "colour", "place", "tags"}), None)
    assert mask.apply(FULL) is FULL
    assert mask.apply({**FULL, "undeclared": "x"}) == FULL


def test_masks_of_thousands_of_grants_are_made_once_each(declared: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bounded cache that the grants of ten thousand clients overflow would make a mask for every exchange."""
    made = 0
    prune = policy._prune

    def counted(*given: Any) -> Any:
        nonlocal made
        made += 1
        return prune(*given)

    members: dict[str, Any] = {f"f{number}": (str | None, said("", "", f"f{number}")) for number in range(14)}
    answer = create_model("Wide", __base__=Record, **members)
    monkeypatch.setattr(policy, "_prune", counted)
    granted = [frozenset(f"f{n}" for n in range(14) if number >> n & 1) for number in range(10_000)]
    for _ in range(2):
        for fields in granted:
            assert len(mask_of(answer, fields, None).fields) == len(fields)
    assert made == len(granted)


def test_a_whole_record_is_named_by_its_own_path(declared: Database) -> None:
    mask = mask_of(declared.operations[0].answer, frozenset({"place.street", "place.owners"}), None)
    assert mask.fields == ("place",)
    assert mask.apply(FULL) == {"place": FULL["place"]}


@pytest.mark.parametrize(
    "asked", [{"nothing"}, {"code", "place.nothing"}, {""}, {"place."}, set(), {"Code"}, {"place.owners.0"}]
)
def test_asking_for_what_nobody_declared_is_invalid(declared: Database, asked: set[str]) -> None:
    with pytest.raises(Invalid) as caught:
        mask_of(declared.operations[0].answer, frozenset({"code"}), frozenset(asked))
    assert [flaw.parameter for flaw in caught.value.flaws] == ["fields"]


def test_asking_for_what_is_not_granted_shows_nothing_of_it(declared: Database) -> None:
    mask = mask_of(declared.operations[0].answer, frozenset({"code"}), frozenset({"colour"}))
    assert mask.apply(FULL) == {}
    assert mask.fields == ()


def test_grants_are_checked_against_the_declaration(declared: Database) -> None:
    everything = field_paths((declared,), "store", "thing", ["*"])
    assert everything == {"code", "colour", "place", "tags"}
    assert field_paths((declared,), "store", "thing", ["place.owners.name"]) == {"place.owners.name"}
    for database, operation, field in (("shop", "thing", "code"), ("store", "things", "code"), ("store", "thing", "x")):
        with pytest.raises(ValueError, match=r"there is no|has no field"):
            field_paths((declared,), database, operation, [field])
    assert set(shape_of(declared.operations[0].answer).paths()) == set(PATHS)


def exchange(declared: Database, *grants: Grant, **changes: Any) -> Exchange:
    held = {("store", "thing"): grants} if grants else {}
    caller = Caller("ministry", "G12", Credential("secret", "secret-1"), held)
    operation = declared.operations[0]
    given: dict[str, Any] = {
        "id": "1",
        "database": declared,
        "operation": operation,
        "question": operation.question.model_validate({"code": "A"}),
        "caller": caller,
        "purpose": "inspection",
        "asked_at": NOW,
        "deadline": 0.0,
    }
    return Exchange(**given | changes)


SIGNED = CallerSignature("sha256:00", NOW, "n", 0)


async def unreachable(_: Exchange) -> Answer:
    raise AssertionError("a refused exchange went on")


@pytest.mark.parametrize(
    ("changes", "sent", "error", "reason"),
    [
        (None, {}, Refused, "no-grant"),
        ({}, {"purpose": None}, PurposeRequired, None),
        ({}, {"purpose": "curiosity"}, PurposeRefused, "unknown"),
        ({}, {"purpose": "benefit-verification"}, PurposeRefused, "not-covered"),
        ({"expires_at": NOW}, {}, Refused, "expired"),
        ({"dossier_required": True}, {}, DossierRequired, None),
        ({"officer_required": True}, {}, OfficerRequired, None),
        ({"signature_required": True}, {}, SignatureRejected, "not-covered"),
        ({}, {"dossier": "whatever"}, Invalid, None),
        ({}, {"dossier": ""}, Invalid, None),
        ({}, {"officer": "a b"}, Invalid, None),
        ({}, {"officer": "x" * 65}, Invalid, None),
        ({}, {"officer": "cán.bộ"}, Invalid, None),
        ({}, {"asked_fields": ("nothing",)}, Invalid, None),
    ],
)
async def test_what_is_not_covered_is_refused_before_anybody_is_asked(
    declared: Database,
    grant: Grant,
    changes: dict[str, Any] | None,
    sent: dict[str, Any],
    error: type[GatewayError],
    reason: str | None,
) -> None:
    grants = () if changes is None else (replace(grant, **changes),)
    asked = exchange(declared, *grants, **sent)
    with pytest.raises(error) as caught:
        await authorised(unreachable)(asked)
    assert caught.value.reason == reason
    assert not asked.well_formed or "asked_fields" in sent
    for value in sent.values():
        if isinstance(value, str) and value:
            assert value not in str(caught.value)


async def test_what_is_covered_passes_with_its_grant_and_comes_back_masked(declared: Database, grant: Grant) -> None:
    strict = replace(
        grant,
        dossier_required=True,
        officer_required=True,
        signature_required=True,
        expires_at=NOW + timedelta(seconds=1),
        deadline_ms=1500,
    )
    other = replace(grant, purposes=frozenset({"benefit-verification"}), fields=frozenset({"tags"}))
    seen: list[Exchange] = []

    async def source(asked: Exchange) -> Answer:
        seen.append(asked)
        notices = (Notice("a", "/data/colour", ""), Notice("b", "/data/place/street", ""), Notice("c", "/data", ""))
        return Answer(dict(FULL), warnings=notices)

    before = asyncio.get_running_loop().time()
    # Until `authorised` has looked, dossier and officer may hold anything.
    assert not exchange(declared, dossier="000.00.18.G12-221122-0001").well_formed
    answer = await authorised(source)(
        exchange(declared, other, strict, dossier="000.00.18.G12-221122-0001", officer="an.nguyen@bo", signed=SIGNED)
    )
    assert seen[0].grant == strict
    assert seen[0].well_formed
    # A tenth of the promised 1.5 s is kept for the evidence.
    assert before + 1.35 <= seen[0].deadline <= asyncio.get_running_loop().time() + 1.35
    assert answer.data == {"code": "A", "place": {"street": ""}}
    assert answer.fields == ("code", "place.street")
    assert [notice.code for notice in answer.warnings] == ["b", "c"]


async def test_an_expired_grant_gives_way_to_a_live_one(declared: Database, grant: Grant) -> None:
    expired = replace(grant, expires_at=NOW - timedelta(days=1), fields=frozenset({"tags"}))
    seen = []

    async def source(asked: Exchange) -> Answer:
        seen.append(asked.grant)
        return Answer({})

    await authorised(source)(exchange(declared, expired, grant))
    assert seen == [grant]
