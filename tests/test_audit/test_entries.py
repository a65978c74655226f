"""The text of an entry: written straight, it is the canonical form of what it says, whatever it says."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.audit.batch import columns
from security.audit.canonical import canonical
from security.audit.entries import Caller, Evidence, Outcome, Secrets, Subject, commitment

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
BYTES = st.binary(max_size=8)
DETAILS = st.dictionaries(
    st.text(st.characters(codec="ascii"), max_size=4), st.none() | st.booleans() | st.integers(0, 9) | TEXT, max_size=3
)
EVIDENCE = st.builds(
    Evidence,
    id=TEXT,
    kind=st.sampled_from(["exchange", "token", "admin"]),
    at=st.datetimes(
        datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=7))])
    ),
    caller=st.none() | st.builds(Caller, TEXT, TEXT, TEXT),
    database=st.none() | TEXT,
    operation=st.none() | TEXT,
    purpose=st.none() | TEXT,
    dossier=st.none() | TEXT,
    officer=st.none() | TEXT | st.just("001090123456"),
    request_id=st.none() | TEXT,
    outcome=st.none() | st.builds(Outcome, TEXT, st.integers(100, 599), st.none() | TEXT),
    fields=st.lists(TEXT, max_size=3),
    duration_ms=st.none() | st.integers(0, 2**53 - 1),
    endpoint=st.none() | TEXT,
    attempts=st.none() | st.integers(0, 9),
    question=st.none() | BYTES,
    data=st.none() | BYTES,
    request_messages=st.lists(BYTES, max_size=2),
    answer_messages=st.lists(BYTES, max_size=2),
    subjects=st.lists(st.builds(Subject, st.sampled_from(["asked", "disclosed"]), TEXT, TEXT), max_size=3),
    archive=st.booleans(),
    details=DETAILS,
)


def said(evidence: Evidence, salts: dict[str, bytes]) -> dict[str, Any]:
    """The entry as a value, put together in the order of the declaration, given the salts that were drawn."""

    def committed(name: str, content: bytes) -> str:
        return commitment(salts.pop(name), content)

    entry: dict[str, Any] = {"v": 1, "id": evidence.id, "kind": evidence.kind}
    entry["at"] = evidence.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if evidence.caller is not None:
        caller = evidence.caller
        entry["caller"] = {"client": caller.client, "agency": caller.agency, "credential": caller.credential}
    for name in ("database", "operation", "purpose", "dossier", "request_id", "duration_ms", "endpoint", "attempts"):
        if getattr(evidence, name) is not None:
            entry[name] = getattr(evidence, name)
    if evidence.officer is not None:
        hidden = evidence.officer == "001090123456"
        entry["officer"] = {"commitment": committed("officer", b"001090123456")} if hidden else evidence.officer
    if evidence.outcome is not None:
        entry["outcome"] = {"code": evidence.outcome.code, "status": evidence.outcome.status}
        if evidence.outcome.reason is not None:
            entry["outcome"]["reason"] = evidence.outcome.reason
    if evidence.fields:
        entry["fields"] = list(evidence.fields)
    if evidence.details:
        entry["details"] = dict(evidence.details)
    commitments: dict[str, Any] = {}
    for name, value in (("question", evidence.question), ("data", evidence.data)):
        if value is not None:
            commitments[name] = committed(name, value)
    for name in ("request_messages", "answer_messages"):
        messages = getattr(evidence, name)
        if messages:
            commitments[name] = [committed(f"{name}/{place}", each) for place, each in enumerate(messages)]
    if commitments:
        entry["commitments"] = commitments
    if evidence.subjects:
        entry["subjects"] = [
            {"role": each.role, "kind": each.kind, "commitment": committed(f"subjects/{place}", each.value.encode())}
            for place, each in enumerate(evidence.subjects)
        ]
    return entry


@given(EVIDENCE)
def test_an_entry_is_the_canonical_form_of_what_it_says(evidence: Evidence) -> None:
    body, repeated, secrets = evidence.written()
    salts = dict(secrets.salts) if secrets is not None else {}
    assert all(len(salt) == 32 for salt in salts.values())
    assert len(set(salts.values())) == len(salts)
    assert body == canonical(said(evidence, salts))
    # Every salt opened something.
    assert not salts
    names = ("id", "at", "kind", "client", "database", "operation", "purpose", "dossier", "outcome", "request_id")
    entry = {name: "x" * 36 if name == "id" else value for name, value in json.loads(body).items()}
    if "\0" not in "".join(filter(None, repeated)):
        assert dict(zip(names[1:], columns(entry)[1:], strict=True)) == dict(zip(names[1:], repeated[1:], strict=True))


@given(EVIDENCE)
def test_what_opens_an_entry_comes_back_as_it_was(evidence: Evidence) -> None:
    _, _, secrets = evidence.written()
    if secrets is None:
        assert not evidence.subjects
        return
    content = secrets.encode()
    read = Secrets.decode(content)
    assert dict(read.salts) == dict(secrets.salts)
    assert tuple(read.subjects) == tuple((each.kind, each.value) for each in evidence.subjects)
    assert read.officer == ("001090123456" if evidence.officer == "001090123456" else None)
    assert read.data == (evidence.data if evidence.archive else None)
    assert content == json.dumps(json.loads(content), ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": datetime(2026, 1, 1)},
        {"officer": "\ud800"},
        {"duration_ms": 1.5},
        {"attempts": 2**53},
        {"outcome": Outcome("ok", True)},
        {"details": {"share": 0.5}},
    ],
)
def test_what_has_no_canonical_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Evidence(**{"id": "x", "kind": "exchange", "at": datetime.now(UTC), **wrong}).written()
