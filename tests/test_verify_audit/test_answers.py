"""An answer is held against its entry: what the entry says, what it commits to, and what it says nothing about."""

import json
from pathlib import Path
from typing import Any

import pytest

from security.audit.canonical import canonical
from security.audit.entries import Evidence
from security.audit.merkle import inclusion_proof
from tests.test_audit.audit_world import ORIGIN, evidence
from tests.test_audit.test_merkle import nodes_over
from tests.test_verify_audit.made import ANSWER, b64, judged
from tests.test_verify_audit.test_histories import Log
from tools.verify_audit import commitments, committed, stated, told_by

HOLDS = ("holds", "data: the content that the entry commits to")
FAILS = ("fails", "data: NOT the content that the entry commits to, or its salt is missing")


def told(tmp_path: Path, asked: Evidence, answer: dict[str, Any], **receipt: object) -> Path:
    """The file of an answer with a full receipt, whose members are replaced by those that are given."""
    body, _, secrets = asked.written()
    log = Log(tmp_path, "log", [b"{}", body, b"{}"])
    shown = {"log": ORIGIN, "index": 1, "leaf": b64(log.leaves[1]), "checkpoint": log.note(3), "entry": b64(body)}
    shown["proof"] = [b64(each) for each in inclusion_proof(1, 3, nodes_over(log.leaves))]
    shown["salt"] = b64(secrets.salts["data"]) if secrets is not None and "data" in secrets.salts else None
    return log.write("answer.json", json.dumps({**answer, "receipt": {**shown, **receipt}}, ensure_ascii=False))


def of(asked: Evidence, **changed: object) -> dict[str, Any]:
    exchange = {"id": asked.id, "database": asked.database, "operation": asked.operation, "fields": list(asked.fields)}
    return {"data": ANSWER, "exchange": {**exchange, "answered_at": "now", **changed}}


def test_data_are_compared_in_their_canonical_form(tmp_path: Path, key: Path) -> None:
    asked = evidence("001090123456", data=canonical(ANSWER))
    shuffled = {**of(asked), "data": dict(reversed(ANSWER.items()))}
    for answer in (of(asked), shuffled):
        status, facts = judged(told(tmp_path, asked, answer), key=key)
        assert status == 0
        assert HOLDS in facts


@pytest.mark.parametrize(
    "data",
    [None, {}, [], {**ANSWER, "more": None}, {**ANSWER, "full_name": "Nguyễn Thị Ảnh"}, "x"],
    ids=["null", "none", "list", "more", "other", "text"],
)
def test_other_data_are_not_taken(tmp_path: Path, key: Path, data: object) -> None:
    asked = evidence("001090123456", data=canonical(ANSWER))
    status, facts = judged(told(tmp_path, asked, {**of(asked), "data": data}), key=key)
    assert (status, facts[-2]) == (1, FAILS)


def test_data_without_salt_or_without_commitment_are_not_taken(tmp_path: Path, key: Path) -> None:
    asked = evidence("001090123456", data=canonical(ANSWER))
    for salt in (None, b64(bytes(32))):
        status, facts = judged(told(tmp_path, asked, of(asked), salt=salt), key=key)
        assert (status, facts[-2]) == (1, FAILS)
    nothing = evidence("001090123456", data=None)
    assert judged(told(tmp_path, nothing, of(nothing)), key=key)[1][-2] == FAILS
    for answer in ({**of(nothing), "data": None}, {"exchange": {"id": nothing.id}}, {"title": "refused"}):
        status, facts = judged(told(tmp_path, nothing, answer), key=key)
        assert (status, HOLDS in facts) == (0, False)
        # A salt that opens nothing was not handed out.
        assert judged(told(tmp_path, nothing, answer, salt=b64(bytes(32))), key=key)[0] == 1


def test_an_answer_without_data_is_committed_to_as_a_whole(tmp_path: Path, key: Path) -> None:
    whole = {"code": "000.00.00.H26-260105-0007", "versions": []}
    asked = evidence("001090123456", data=canonical(whole))
    assert HOLDS in judged(told(tmp_path, asked, whole), key=key)[1]
    assert FAILS in judged(told(tmp_path, asked, {**whole, "more": 1}), key=key)[1]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("log", "other.example/log"),
        ("index", 0),
        ("index", 3),
        ("index", -1),
        ("index", True),
        ("index", "1"),
        ("leaf", b64(bytes(32))),
        ("leaf", None),
        ("salt", "AA=="),
        ("entry", b64(b"{}")),
        ("entry", ""),
        ("proof", []),
        ("proof", None),
        ("proof", [b64(bytes(32))] * 129),
        ("checkpoint", None),
        ("checkpoint", ""),
        ("more", 1),
    ],
    ids=str,
)
def test_no_member_of_a_receipt_can_be_replaced(tmp_path: Path, key: Path, member: str, value: object) -> None:
    asked = evidence("001090123456", data=canonical(ANSWER))
    status, facts = judged(told(tmp_path, asked, of(asked), **{member: value}), key=key)
    assert status in (1, 2)
    assert HOLDS not in facts


def test_every_commitment_of_an_entry_has_a_name() -> None:
    asked = evidence("001090123456", "001090123457", officer="001090999999")
    body, _, secrets = asked.written()
    entry = json.loads(body)
    assert secrets is not None
    assert set(commitments(entry)) == set(secrets.salts)
    made = commitments(entry)
    assert made["officer"] == entry["officer"]["commitment"] == committed(secrets.salts["officer"], b"001090999999")
    assert [made[f"subjects/{n}"] for n in range(2)] == [each["commitment"] for each in entry["subjects"]]
    assert made["data"] == entry["commitments"]["data"]
    assert made["answer_messages/0"] == entry["commitments"]["answer_messages"][0]
    assert commitments({}) == commitments({"officer": None}) == {}
    assert {"officer", "subjects/1", "data", "question", "answer_messages/0", "request_messages/0"} <= set(
        secrets.salts
    )
    assert told_by(entry).endswith(
        "exchange, population, person, birth-registration, 000.00.00.G15-261122-0001, ministry, ok"
    )


def test_little_is_told_of_an_entry_that_says_little() -> None:
    assert told_by({}) == ""
    assert told_by({"kind": "start", "caller": {}, "outcome": {}}) == "start"
    assert stated({"outcome": {"code": "ok"}})["acknowledged_by"] is None
    assert stated({})["exchange"] == {"id": None, "database": None, "operation": None, "fields": [], "signature": None}
