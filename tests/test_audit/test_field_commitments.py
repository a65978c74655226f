"""Fields of an answer are committed to one by one: as the format says, and so that each opens alone."""

from __future__ import annotations

import base64
import json
from hashlib import sha256, shake_256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.audit.canonical import canonical
from security.audit.entries import Evidence
from security.audit.field_commitments import NoField, committed, fields_of, opening
from security.audit.verification import verify
from tests.test_audit.audit_world import World, evidence

SEED = bytes(range(32))
ANSWER = {
    "name": "Lan",
    "children": [{"n": 1, "alive": True}, {"n": 2, "note": None}],
    "codes": ["a"],
    "none": [],
    "~/": {},
}
POINTERS = [
    "/children/0/alive",
    "/children/0/n",
    "/children/1/n",
    "/children/1/note",
    "/codes/0",
    "/name",
    "/none",
    "/~0~1",
]

NAMES = st.text("abc~/", min_size=1, max_size=3)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=12,
)


def test_fields_are_pointers_and_values_in_order() -> None:
    fields = fields_of(canonical(ANSWER))
    assert [pointer for pointer, _ in fields] == POINTERS
    assert dict(fields)["/none"] == []
    assert dict(fields)["/~0~1"] == {}
    assert dict(fields)["/children/1/note"] is None


def test_the_commitment_is_what_the_format_says() -> None:
    """Spelled out here once more, with nothing of the product."""
    values = [True, 1, 2, None, "a", "Lan", [], {}]
    salts = shake_256(SEED + b"lgsp-fields/1").digest(32 * len(POINTERS))
    leaves = b""
    for place, pair in enumerate(zip(POINTERS, values, strict=True)):
        text = json.dumps(pair, separators=(",", ":"), ensure_ascii=False).encode()
        leaves += sha256(salts[32 * place : 32 * place + 32] + text).digest()
    assert committed(SEED, canonical(ANSWER)) == sha256(leaves).digest()


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_each_field_opens_alone(value: dict[str, Any]) -> None:
    data = canonical(value)
    whole = committed(SEED, data)
    pointers = [pointer for pointer, _ in fields_of(data)]
    assert len(set(pointers)) == len(pointers)
    for pointer, stated in fields_of(data):
        opened = opening(SEED, data, pointer)
        assert (opened["pointer"], opened["value"]) == (pointer, stated)
        leaves = [base64.b64decode(leaf) for leaf in opened["leaves"]]
        assert sha256(b"".join(leaves)).digest() == whole
        content = base64.b64decode(opened["salt"]) + canonical([pointer, stated])
        assert leaves[opened["place"]] == sha256(content).digest()


def test_a_field_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(NoField, match=r"/nowhere.*/children/0/alive.*/name"):
        opening(SEED, canonical(ANSWER), "/nowhere")


def provable(data: dict[str, Any] | None, *, archive: bool = False) -> Evidence:
    event = evidence("001090123456", data=None if data is None else canonical(data), archive=archive)
    event.provable = True
    return event


@pytest.mark.parametrize("messages", [0, 1, 3])
def test_an_entry_commits_to_the_fields_where_it_is_told(messages: int) -> None:
    event = provable(ANSWER)
    event.answer_messages = [b"<m/>"] * messages
    entry, secrets = event.recorded()
    assert secrets is not None
    assert canonical(entry) == event_canonical(entry)
    assert list(entry["commitments"]) == [
        *(["answer_messages"] if messages else []),
        "data",
        "fields",
        "question",
        "request_messages",
    ]  # type: ignore[call-overload,index,arg-type]
    stated = base64.b64decode(entry["commitments"]["fields"])  # type: ignore[call-overload,index,arg-type]
    assert stated == committed(secrets.salts["fields"], canonical(ANSWER))
    assert len(set(secrets.salts.values())) == len(secrets.salts)
    plain, _ = evidence(data=canonical(ANSWER)).recorded()
    assert "fields" not in plain["commitments"]  # type: ignore[operator]
    refused, _ = provable(None).recorded()
    assert "fields" not in refused["commitments"]  # type: ignore[operator]


def event_canonical(entry: Any) -> bytes:
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()


async def test_fields_of_kept_answers_are_recomputed(world: World) -> None:
    await world.log.record(provable(ANSWER, archive=True))
    await world.log.record(provable(ANSWER))
    assert (await verify(world.storage, [world.signer.verifier], world.sealer)).valid
    event = provable(ANSWER, archive=True)
    entry, secrets = event.recorded()
    assert secrets is not None
    secrets.data = canonical(ANSWER | {"codes": ["b"]})
    entry["commitments"]["data"] = base64.b64encode(sha256(secrets.salts["data"] + secrets.data).digest()).decode()  # type: ignore[call-overload,index]
    await world.log.append(entry, secrets=secrets)
    found = await verify(world.storage, [world.signer.verifier], world.sealer)
    assert [(each.first, each.what) for each in found.found] == [
        (2, "the opening does not open the commitments of the entry")
    ]
