"""Each member of an answer is held against the entry, or named as one that the entry does not prove."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from security.audit.canonical import canonical
from security.audit.entries import Evidence, Outcome
from tests.test_audit.audit_world import evidence
from tests.test_verify_audit.made import ANSWER, b64, judged
from tests.test_verify_audit.test_answers import of, told
from tests.test_verify_audit.test_histories import two

AT = "2026-11-30T00:00:00.000000Z"
ASKED = evidence("001090123456", data=canonical(ANSWER))
SIGNED = replace(ASKED, details={"signer": "sha256:aa", "signed_at": AT, "signer_revocation": "good"})
HERE = {"status": "valid", "signer": "CN=x", "certificate": "sha256:aa", "domain": None, "revocation": "good"}
VOUCHED = replace(SIGNED, details={**SIGNED.details, "signer_domain": "registries"})
BARE = replace(ASKED, fields=())
REFUSED = replace(ASKED, kind="refusal", data=None, fields=(), outcome=Outcome("refused", 403, "no-right"))
UNREADABLE = replace(REFUSED, kind="unreadable", outcome=Outcome("malformed", 400), database=None, operation=None)
TAKEN = replace(ASKED, kind="intake", data=None, fields=(), outcome=Outcome("ok", 202), database="dossiers")
ADOPTED = replace(TAKEN, operation="registration", details={"deliver": False, "procedure": "1.005129"})
SEEN = replace(TAKEN, operation="acknowledge", details={"filed": "x", "version": 1, "adopted": True})


def exchange(asked: Evidence, signature: object) -> dict[str, Any]:
    return of(asked, answered_at=AT, warnings=[], signature=signature)


def problem(refused: Evidence) -> dict[str, Any]:
    assert refused.outcome is not None
    code, status, reason = refused.outcome.code, refused.outcome.status, refused.outcome.reason
    about = {"type": f"https://x/problems/{code}", "title": "t", "status": status, "detail": "d", "instance": "i"}
    about |= {"code": code, "retryable": False, "request_id": refused.request_id, "errors": []}
    return {**about, **({"reason": reason} if reason else {}), "exchange": {"id": refused.id}}


def taken(pushed: Evidence, **more: object) -> dict[str, Any]:
    return {"code": pushed.dossier, "delivery": pushed.id, "result": "accepted", "reason": None, **more}


# What is answered to what was recorded, and the members that nothing proves.
ANSWERS: dict[str, tuple[Evidence, dict[str, Any], str]] = {
    "unsigned": (ASKED, exchange(ASKED, None), "exchange.answered_at, exchange.warnings"),
    "signed": (
        SIGNED,
        exchange(SIGNED, {**HERE, "signed_at": AT}),
        "exchange.answered_at, exchange.warnings, exchange.signature.signer",
    ),
    "vouched": (
        VOUCHED,
        exchange(VOUCHED, {**HERE, "domain": "registries", "signed_at": AT}),
        "exchange.answered_at, exchange.warnings, exchange.signature.signer",
    ),
    "nothing-disclosed": (BARE, exchange(BARE, None), "exchange.answered_at, exchange.warnings"),
    "refused": (REFUSED, problem(REFUSED), "type, title, detail, instance, retryable, errors"),
    "unreadable": (UNREADABLE, problem(UNREADABLE), "type, title, detail, instance, retryable, errors"),
    "taken": (TAKEN, taken(TAKEN), "result, reason"),
    "adopted": (ADOPTED, taken(ADOPTED, version=1, delivery=None), "result, reason, version"),
    "acknowledged": (
        SEEN,
        {"code": SEEN.dossier, "version": 1, "adopted": True, "acknowledged_by": "ministry", "acknowledged_at": AT},
        "acknowledged_at",
    ),
}


def paths(told: dict[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """Every member beside `data`, at every depth, with its value."""
    shown = {name: value for name, value in told.items() if name != "data"}
    inner = [(name, paths(value)) for name, value in shown.items() if isinstance(value, dict)]
    return [
        *(((name,), value) for name, value in shown.items()),
        *(((name, *rest), value) for name, deeper in inner for rest, value in deeper),
    ]


def forged(document: dict[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    at = changed
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return changed


@pytest.mark.parametrize("name", ANSWERS)
def test_every_member_is_proven_or_named(tmp_path: Path, key: Path, name: str) -> None:
    asked, answer, unproven = ANSWERS[name]
    status, facts = judged(told(tmp_path, asked, answer), key=key)
    assert (status, [text for _, text in facts if "does NOT prove" in text]) == (
        0,
        [f"the entry does NOT prove: {unproven}"],
    )
    for path, right in paths(answer):
        dotted = ".".join(path)
        # Values that are equal for Python are not for JSON.
        for value in ("another", 1, True, None, [], ["full_name", "sex"], {"x": "y"}):
            same = canonical(value) == canonical(right) or (isinstance(value, dict) and isinstance(right, dict))
            if not same and dotted not in unproven.split(", "):
                status, facts = judged(told(tmp_path, asked, forged(answer, path, value)), key=key)
                assert (status, facts[-2]) == (1, ("fails", f"`{dotted}` CONTRADICTS the entry")), value


def test_all_that_contradicts_is_named_at_once(tmp_path: Path, key: Path) -> None:
    answer = of(ASKED, id="another", database="tax", warnings=[])
    _, facts = judged(told(tmp_path, ASKED, answer), key=key)
    assert facts[-2] == ("fails", "`exchange.id`, `exchange.database` CONTRADICTS the entry")
    assert not any(kind == "holds" and "data" in text for kind, text in facts)


@pytest.mark.parametrize("signature", [{}, {"signer": "CN=x"}, {"status": "valid"}, {"certificate": "sha256:aa"}, "x"])
def test_a_signature_where_nobody_signed_is_refused(tmp_path: Path, key: Path, signature: object) -> None:
    status, facts = judged(told(tmp_path, ASKED, exchange(ASKED, signature)), key=key)
    assert (status, facts[-2]) == (1, ("fails", "`exchange.signature` CONTRADICTS the entry"))


def test_an_answer_of_one_kind_does_not_pass_for_another(tmp_path: Path, key: Path) -> None:
    """The receipt of what was taken is none of a refusal, nor the other way round."""
    for recorded, shown in ((TAKEN, REFUSED), (REFUSED, TAKEN), (ASKED, REFUSED), (REFUSED, ASKED)):
        answers = {id(each): answer for each, answer, _ in ANSWERS.values()}
        assert judged(told(tmp_path, recorded, answers[id(shown)]), key=key)[0] == 1


def test_an_entry_that_says_little_proves_little(tmp_path: Path, key: Path) -> None:
    bare = Evidence(id=ASKED.id, kind="start", at=ASKED.at)
    status, facts = judged(told(tmp_path, bare, {"exchange": {"id": bare.id}, "title": "t"}), key=key)
    assert (status, facts[-2]) == (0, ("note", "the entry does NOT prove: title"))
    for member in ("code", "status", "request_id", "reason"):
        assert judged(told(tmp_path, bare, {member: "x"}), key=key)[0] == 1
        assert judged(told(tmp_path, bare, {member: None}), key=key)[0] == 0


def test_members_that_nobody_knows_are_named(tmp_path: Path, key: Path) -> None:
    answer = {**of(ASKED), "approved_by": "the minister"}
    status, facts = judged(told(tmp_path, ASKED, answer), key=key)
    assert (status, facts[-2]) == (0, ("note", "the entry does NOT prove: exchange.answered_at, approved_by"))
    whole = {"code": "000.00.00.H26-260105-0007", "exchange": "x", "status": "4"}
    seen = replace(ASKED, kind="reading", data=canonical(whole))
    status, facts = judged(told(tmp_path, seen, whole), key=key)
    assert (status, [text for _, text in facts if "does NOT prove" in text]) == (0, [])


def test_a_message_of_soap_is_told_what_makes_json_of_it(tmp_path: Path, key: Path) -> None:
    for head in ("", "\n "):
        (tmp_path / "answer.xml").write_text(head + '<?xml version="1.0"?><e:Envelope/>')
        status, facts = judged(tmp_path / "answer.xml", key=key)
        assert (status, facts) == (2, [("unreadable", "malformed: XML (SOAP): soap_answer.py -> JSON")])


def test_two_short_receipts_that_contradict_each_other(tmp_path: Path) -> None:
    log, fork, key = two(tmp_path)
    status, facts = judged(log.receipt(8, 9), fork.receipt(8, 12), key=key)
    assert (status, [text for kind, text in facts if kind == "fails"]) == (
        1,
        [f"{tmp_path}/log-receipt-8-9.json names ANOTHER entry at index 8"],
    )
    for other in (log.receipt(8, 12), fork.receipt(7, 12), log.receipt(8, 9)):
        _, facts = judged(log.receipt(8, 9), other, key=key)
        assert not any("ANOTHER" in text for _, text in facts)


def test_the_salt_of_a_receipt_without_its_answer_is_not_vouched_for(tmp_path: Path, key: Path) -> None:
    _, facts = judged(told(tmp_path, ASKED, {}), key=key)
    assert facts[-2][0] == "fails"
    nothing = replace(ASKED, data=None)
    assert judged(told(tmp_path, nothing, {}, salt=b64(bytes(32))), key=key)[0] == 1
