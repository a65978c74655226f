"""Dossiers and statuses over HTTP, one by one."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from security.http_signing import key_id, sign_request
from security.signature_base import HttpRequest, fields_of
from security.signature_key import SigningKey
from tests.test_intake.source import Source, a_code
from tests.test_intake.world import NAME, PERSON, a_dossier, a_status
from tests.test_openapi.deployment import PUBLIC, Answer, Deployment


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["code"]


def test_a_dossier_is_registered_amended_and_left_alone(province: Source) -> None:
    code = a_code()
    first = province.put(code)
    assert first.status == 201
    assert {"code": code, "version": 1, "result": "accepted"}.items() <= first.json.items()
    amended = province.put(code, a_dossier(summary="Bổ sung"))
    assert (amended.status, amended.json["version"]) == (200, 2)
    same = province.put(code, a_dossier(summary="Bổ sung"))
    assert (same.status, same.json["version"]) == (200, 2)
    assert same.json["receipt"] == amended.json["receipt"]
    adopted = province.put(a_code(), a_dossier(deliver=False))
    assert (adopted.status, adopted.json["delivery"]) == (201, None)


def test_a_receipt_proves_what_was_taken(province: Source) -> None:
    code = a_code()
    answer = province.push(code, a_status(sequence=1), key="k", Lgsp_Receipt="full")
    assert answer.status == 202
    receipt = answer.json["receipt"]
    entry = base64.b64decode(receipt["entry"])
    assert base64.b64encode(hashlib.sha256(b"\0" + entry).digest()).decode() == receipt["leaf"]
    assert json.loads(entry)["id"] == answer.json["delivery"]
    assert (json.loads(entry)["kind"], json.loads(entry)["dossier"]) == ("intake", code)
    assert isinstance(receipt["proof"], list)


def test_a_key_is_one_bare_or_quoted(province: Source) -> None:
    code = a_code()
    first = province.push(code, key=f"{code}-x")
    again = province.push(code, key=f'"{code}-x"')
    assert (first.status, again.status) == (202, 202)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.body == first.body
    reused = province.push(code, a_status("9"), key=f"{code}-x")
    assert code_of(reused) == (422, "idempotency-key-reused")
    assert reused.json["retryable"] is False


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        pytest.param(None, 400, "idempotency-key-required", id="missing"),
        pytest.param('""', 400, "idempotency-key-required", id="empty"),
        pytest.param("x" * 256, 400, "malformed", id="too-long"),
        pytest.param('"x', 400, "malformed", id="half-a-string"),
    ],
)
def test_a_key_that_is_none(province: Source, key: str | None, status: int, code: str) -> None:
    answer = province.push(a_code(), key=key)
    assert code_of(answer) == (status, code)
    assert answer.json["errors"][0]["header"] == "Idempotency-Key"
    assert answer.json["receipt"]["index"] > 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param(a_status(at="2026-11-30T09:00:00"), "/at", id="no-offset"),
        pytest.param(a_status(sequence=0), "/sequence", id="sequence-0"),
        pytest.param(a_status(more=1), "/more", id="unknown-member"),
        pytest.param({"at": "2026-11-30T09:00:00Z"}, "/status", id="no-status"),
    ],
)
def test_a_wrong_status_is_refused_with_its_place(province: Source, body: Any, pointer: str) -> None:
    key = a_code()
    answer = province.push(a_code(), body, key=key)
    assert code_of(answer) == (422, "invalid")
    assert [flaw["pointer"] for flaw in answer.json["errors"]] == [pointer]
    # Nothing was taken: the key is free.
    assert province.push(a_code(), key=key).status == 202


def test_wrong_codes_and_media_types(province: Source) -> None:
    assert code_of(province.push("H26-261340-0001", key="k")) == (422, "invalid")
    assert code_of(province.put("x")) == (422, "invalid")
    text = province.ask("PUT", f"/v1/dossiers/{a_code()}", b"{}", Content_Type="text/plain")
    assert code_of(text) == (415, "unsupported-media-type")


def signed(province: Source, code: str, key: str, body: bytes) -> dict[str, str]:
    """The headers of a push with the province's own signature (RFC 9421), which covers its key."""
    papers = province.deployed.clients["province"]
    url = urlsplit(PUBLIC)
    headers = {
        "Host": url.netloc,
        "Authorization": province.bearer,
        "Content-Type": "application/json",
        "Idempotency-Key": key,
    }
    path = f"/v1/dossiers/{code}/statuses"
    request = HttpRequest("POST", url.scheme, url.netloc, path, fields_of(headers.items()), body)
    own = SigningKey.load(Path(papers["key"]), Path(papers["certificate"]))
    return headers | sign_request(request, own.private, key_id(own.certificate), also=["idempotency-key"])


def test_a_signature_that_is_sent_is_checked_and_counts_once(province: Source) -> None:
    code = a_code()
    body = json.dumps(a_status()).encode()

    def push(sent: dict[str, str], content: bytes) -> Answer:
        named = {name.replace("-", "_"): value for name, value in sent.items()}
        return province.deployed.ask("POST", f"/v1/dossiers/{code}/statuses", content, **named)

    headers = signed(province, code, f"{code}-1", body)
    other = push(headers | {"Idempotency-Key": f"{code}-2"}, body)
    assert (*code_of(other), other.json["reason"]) == (403, "signature-rejected", "altered")
    changed = push(headers, body.replace(b'"4"', b'"9"'))
    assert (*code_of(changed), changed.json["reason"]) == (403, "signature-rejected", "altered")
    assert push(headers, body).status == 202
    again = push(headers, body)
    assert (*code_of(again), again.json["reason"]) == (403, "signature-rejected", "replayed")
    assert push(signed(province, code, f"{code}-1", body), body).headers["Idempotency-Replayed"] == "true"


def test_who_may_not_push_may_not_look_either(deployed: Deployment, province: Source, ministry: Source) -> None:
    code = a_code()
    province.put(code)
    for answer in (
        ministry.put(code),
        ministry.push(code, key="k"),
        ministry.ask("GET", f"/v1/dossiers/{code}"),
        ministry.ask("GET", "/v1/deliveries"),
        ministry.ask("POST", "/v1/dossiers/statuses", b""),
    ):
        assert code_of(answer) == (403, "refused")
    assert code_of(deployed.ask("GET", f"/v1/dossiers/{code}")) == (401, "unauthenticated")


def test_the_owner_sees_everything(province: Source) -> None:
    code = a_code()
    province.put(code, a_dossier(due_at="2026-12-10T17:00:00+07:00"))
    province.put(code, a_dossier(due_at="2026-12-12T17:00:00+07:00"))
    pushed = province.push(code, a_status("9", sequence=2, officer="Trần Văn Bé"), key=f"{code}-2").json
    seen = province.ask("GET", f"/v1/dossiers/{code}").json
    assert {"code": code, "agency": "H26", "version": 2, "standing": "registered"}.items() <= seen.items()
    assert seen["deadlines"]["due_at"] == "2026-12-12T17:00:00+07:00"
    assert [version["dossier"]["due_at"][:10] for version in seen["versions"]] == ["2026-12-10", "2026-12-12"]
    assert seen["versions"][0]["dossier"]["owner_name"] == NAME
    assert [one["kind"] for one in seen["deliveries"]] == ["registration", "registration", "status"]
    last = seen["deliveries"][-1]
    assert (last["id"], last["state"], last["step"], last["reason"]) == (
        pushed["delivery"],
        "waiting",
        "waiting",
        "gap",
    )
    assert last["event"]["officer"] == "Trần Văn Bé"
    what = [step["what"] for step in seen["timeline"]]
    assert what[:2] == ["registered", "received"]
    assert what[-2:] == ["received", "waiting"]
    assert seen["receipt"]["index"] > pushed["receipt"]["index"]


def test_what_is_not_there_and_what_is_of_others_look_alike(deployed: Deployment, province: Source) -> None:
    waiting = a_code()
    province.push(waiting, key=f"{waiting}-1")
    for code in (waiting, a_code()):
        answer = province.ask("GET", f"/v1/dossiers/{code}")
        assert code_of(answer) == (404, "not-found")
        assert code not in answer.body.decode()


def test_the_public_learns_the_degree_and_nothing_else(deployed: Deployment, province: Source) -> None:
    code = a_code()
    unknown = deployed.ask("GET", f"/v1/public/dossiers/{code}", Accept_Language="en")
    assert unknown.json == {"code": code, "completion": {"degree": "unknown", "title": "Nothing is known"}}
    province.push(code, a_status("4"), key=f"{code}-1")
    assert deployed.ask("GET", f"/v1/public/dossiers/{code}", Accept_Language="en").json == unknown.json
    province.put(code)
    known = deployed.ask("GET", f"/v1/public/dossiers/{code}", Accept_Language="en")
    assert known.json == {"code": code, "completion": {"degree": "in-progress", "title": "In progress"}}
    assert known.headers.keys() == unknown.headers.keys()
    assert {"RateLimit", "RateLimit-Policy"} <= set(known.headers)
    vietnamese = deployed.ask("GET", f"/v1/public/dossiers/{code}").json
    assert vietnamese["completion"]["title"] == "Đang giải quyết"
    assert code_of(deployed.ask("GET", "/v1/public/dossiers/x")) == (422, "invalid")


def test_deliveries_are_listed_page_by_page(province: Source) -> None:
    code = a_code()
    province.put(code)
    for sequence in range(1, 6):
        province.push(code, a_status("4", sequence=sequence), key=f"{code}-{sequence}")
    unknown = province.push(code, a_status("?"), key=f"{code}-q").json
    mine, after, pages = [], "", 0
    while True:
        page = province.ask("GET", f"/v1/deliveries?limit=3{after}").json
        mine += [item for item in page["items"] if item["code"] == code]
        pages += 1
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert pages > 2
    assert [item["sequence"] for item in mine] == [None, 1, 2, 3, 4, 5, None]
    assert len({item["id"] for item in mine}) == 7
    # Following from an old cursor finds what came since.
    province.push(code, a_status("4", sequence=6), key=f"{code}-6")
    more = province.ask("GET", f"/v1/deliveries?limit=500{after}").json["items"]
    assert [item["sequence"] for item in more if item["code"] == code][-1] == 6
    quarantined = province.ask("GET", "/v1/deliveries?state=quarantined&limit=500").json["items"]
    assert [item["reason"] for item in quarantined if item["id"] == unknown["delivery"]] == ["unknown-status"]
    waiting = province.ask("GET", "/v1/deliveries?state=waiting&limit=500").json["items"]
    assert {item["state"] for item in waiting} == {"waiting"}
    assert province.ask("GET", "/v1/deliveries?state=dead").json == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("state=gone", "state"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("after=7", "after"),
        ("after=d07", "after"),
        ("limit=1&limit=2", "limit"),
        ("code=x", "code"),
        ("reason=%20", "reason"),
        (f"client={PERSON}%20", "client"),
        ("fingerprint=?", "fingerprint"),
        ("status=11", "status"),
        (f"{PERSON}=1", None),
    ],
)
def test_a_wrong_query_is_refused(province: Source, query: str, parameter: str | None) -> None:
    answer = province.ask("GET", f"/v1/deliveries?{query}")
    assert code_of(answer) == (422, "invalid")
    assert answer.json["errors"][0].get("parameter") == parameter
    assert PERSON not in answer.body.decode()
