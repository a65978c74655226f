"""What an exchange can end with is the same over SOAP as over REST: code, reason, blame, whether and when to retry."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.run import REGISTRIES
from sandbox.truth import cases, samples
from schemas.errors import EvidenceUnavailable
from tests.test_soap_callers.callers import Holder, signed
from tests.test_soap_face.both import by_soap, refused_alike
from tests.test_soap_face.conftest import Refused
from tests.test_soap_face.gate import Gate, request
from tests.test_soap_face.messages import MEDIA, VERSIONS, envelope, person

SLOW = "civil-status"
BROKEN = "enterprise"
VERIFY = {"Lgsp-Purpose": "identity-verification"}


def adjusted(text: str) -> str:
    """Sources that may fail often before they are left alone, but for one; one that has three seconds."""
    text = text.replace("attempts = 3", "attempts = 1").replace("failures = 5", "failures = 100")
    parts = re.split(r"(?m)^(?=\[endpoints\.)", text)
    for at, part in enumerate(parts):
        if part.startswith(f"[endpoints.{SLOW}]"):
            parts[at] = part.replace("read = 8.0, total = 8.0", "read = 3.0, total = 3.0")
        if part.startswith(f"[endpoints.{BROKEN}]"):
            parts[at] = part.replace("failures = 100", "failures = 1").replace("open_for = 5.0", "open_for = 60.0")
    return "".join(parts)


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    made = Gate(tmp_path_factory.mktemp("failing") / "state", adjusted)
    yield made
    made.close()


@pytest.fixture(scope="module")
def sample(failing: Gate) -> dict[str, dict[str, str]]:
    names = ["population/person", "tax/taxpayer", "land/certificate", "civil-status/birth", "enterprise/enterprise"]
    return {name: each["body"] for name, each in samples(failing.registries.world, REGISTRIES, names).items()}


def test_no_grant(failing: Gate, sample: dict[str, dict[str, str]]) -> None:
    headers = {"Authorization": failing.basic("limited")}
    problem, _ = refused_alike(failing, "tax/taxpayer", sample["tax/taxpayer"], headers)
    assert (problem["code"], problem["reason"]) == ("refused", "no-grant")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Lgsp-Purpose": None}, "purpose-required"),
        ({"Lgsp-Purpose": "no-such-purpose"}, "purpose-refused"),
        ({"Lgsp-Purpose": "dossier-processing"}, "purpose-refused"),
        ({**VERIFY, "Lgsp-Officer": "an"}, "dossier-required"),
        ({**VERIFY, "Lgsp-Dossier": "000.00.01.H26-261123-0001"}, "officer-required"),
        ({**VERIFY, "Lgsp-Dossier": "089077133265", "Lgsp-Officer": "an"}, "invalid"),
        ({**VERIFY, "Lgsp-Dossier": "000.00.01.H26-261123-0001", "Lgsp-Officer": "a b"}, "invalid"),
    ],
)
def test_what_a_grant_demands(
    failing: Gate, sample: dict[str, dict[str, str]], headers: dict[str, str | None], code: str
) -> None:
    sent = {"Authorization": failing.basic("limited"), **headers}
    problem, faults = refused_alike(failing, "population/person", sample["population/person"], sent)
    assert problem["code"] == code
    if code == "invalid":
        headers_at_fault = [each["header"] for each in problem["errors"]]
        for refused in faults.values():
            blocks = [each["header"] for each in refused.fault.problem["errors"]]
            assert [f"Lgsp-{block}" for block in blocks] == headers_at_fault


def test_people_who_are_not_there_or_there_twice(failing: Gate) -> None:
    seen = set()
    for name, people in cases(failing.registries.world, REGISTRIES).items():
        for one in people:
            if one["status"] in (404, 409) and (name, one["code"]) not in seen:
                seen.add((name, one["code"]))
                problem, _ = refused_alike(failing, name, one["body"])
                assert (problem["status"], problem["code"]) == (one["status"], one["code"])
    assert {code for _, code in seen} == {"no-record", "ambiguous"}
    assert len(seen) > 10


@pytest.mark.parametrize(
    ("name", "kind", "code", "reason"),
    [
        ("tax/taxpayer", "down", "upstream-unavailable", None),
        ("land/certificate", "malformed", "upstream-signature-rejected", "malformed"),
        ("population/person", "tampered", "upstream-signature-rejected", "altered"),
        ("population/person", "unsigned", "upstream-signature-rejected", "not-covered"),
        ("population/person", "wrong-answer", "upstream-signature-rejected", "not-answer-to-request"),
        ("civil-status/birth", "malformed", "upstream-unreadable", None),
        ("civil-status/birth", "latency=5s", "upstream-timeout", None),
    ],
)
def test_a_source_that_fails(
    failing: Gate, sample: dict[str, dict[str, str]], name: str, kind: str, code: str, reason: str | None
) -> None:
    database = name.partition("/")[0]
    failing.fault(database, kind)
    try:
        problem, faults = refused_alike(failing, name, sample[name])
    finally:
        failing.fault(database, None)
    assert (problem["code"], problem.get("reason")) == (code, reason)
    for refused in faults.values():
        assert {"exchange", "receipt"} <= refused.fault.problem.keys()
        (entry,) = failing.entries(refused.fault.problem["requestId"])
        assert entry["id"] == refused.fault.problem["exchange"]["id"]


def test_a_source_that_is_left_alone(failing: Gate, sample: dict[str, dict[str, str]]) -> None:
    failing.fault(BROKEN, "down")
    by_soap(failing, "enterprise/enterprise", sample["enterprise/enterprise"], {}, "1.1")
    problem, faults = refused_alike(failing, "enterprise/enterprise", sample["enterprise/enterprise"])
    assert problem["code"] == "circuit-open"
    for refused in faults.values():
        assert 50 <= int(refused.fault.problem["retryAfter"]) <= 60
        assert refused.reply.headers["retry-after"] == refused.fault.problem["retryAfter"]


@pytest.mark.parametrize("version", VERSIONS)
def test_too_many_requests(
    failing: Gate, sample: dict[str, dict[str, str]], version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All at one moment: on a slow machine they might be no more than the rate allows.
    moment = time.monotonic()
    monkeypatch.setattr(failing.gateway.limiter, "_clock", lambda: moment)
    headers = {
        "Authorization": failing.basic("limited"),
        "Content-Type": MEDIA[version],
        "Lgsp-Dossier": "000.00.01.H26-261123-0001",
        "Lgsp-Officer": "an",
        **VERIFY,
    }
    body = envelope(person(f"<personalId>{sample['population/person']['personal_id']}</personalId>"), version)
    with failing.wire() as wire:
        wire.write(request("/soap/population", body, headers) * 60)
        replies = [wire.read() for _ in range(60)]
    late = [Refused(reply, version) for reply in replies if reply.status != 200]
    assert late
    for refused in late:
        assert refused.code == "too-many-requests"
        assert refused.fault.code == ("Client" if version == "1.1" else "Sender")
        assert refused.fault.problem["retryable"] == "true"
        assert int(refused.reply.headers["retry-after"]) >= 1
        # Counted in bulk: whoever knocks too often must not fill the log.
        assert "receipt" not in refused.fault.problem
        assert refused.reply.headers["ratelimit"].startswith('"population/person";r=0')


@pytest.mark.parametrize("version", VERSIONS)
def test_no_evidence_no_answer(
    failing: Gate, sample: dict[str, dict[str, str]], version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise EvidenceUnavailable

    for name in ("append", "record"):
        monkeypatch.setattr(failing.gateway.log, name, broken, raising=True)
    for inside in (
        f"<personalId>{sample['population/person']['personal_id']}</personalId>",
        "<personalId>1</personalId>",
    ):
        reply = failing.ask("population", person(inside), version)
        refused = Refused(reply, version)
        assert (reply.status, refused.code) == (500, "evidence-unavailable")
        assert refused.fault.code == ("Server" if version == "1.1" else "Receiver")
        assert b"PersonResponse" not in reply.body


@pytest.mark.parametrize("version", VERSIONS)
def test_a_signature_of_nobody(failing: Gate, version: str) -> None:
    stranger = Holder.of(ec.generate_private_key(ec.SECP256R1()), "Nobody")
    document = signed(stranger, version=version, now=datetime.now(UTC))
    for proof in (None, failing.basic()):
        reply = failing.send(
            "/soap/population", document, {"Authorization": proof, "Lgsp-Purpose": None}, version=version
        )
        refused = Refused(reply, version)
        assert refused.code == "signature-rejected"
        assert refused.fault.code == ("Client" if version == "1.1" else "Sender")
        assert ("receipt" in refused.fault.problem) == (proof is not None)


@pytest.mark.parametrize("version", VERSIONS)
def test_overload(tmp_path_factory: pytest.TempPathFactory, version: str) -> None:
    gate = Gate(
        tmp_path_factory.mktemp("small") / "state",
        lambda text: text.replace("max_body =", "max_in_flight = 1\nmax_body ="),
    )
    try:
        body = envelope(person("<personalId>1</personalId>"), version)
        headers = {"Content-Type": MEDIA[version], "Authorization": gate.basic()}
        held = request("/soap/population", body, {**headers, "Expect": "100-continue"})
        with gate.wire() as first, gate.wire() as second:
            first.write(held.removesuffix(body))
            # From here on the first is in flight and waits for its body.
            assert first.continues()
            reply = second.ask(request("/soap/population", body, headers))
            refused = Refused(reply, version)
            assert refused.code == "overloaded"
            assert reply.status == 500
            assert refused.fault.code == ("Server" if version == "1.1" else "Receiver")
            assert refused.fault.problem["retryAfter"] == "1"
            first.write(body)
            assert Refused(first.read(), version).code == "invalid"
    finally:
        gate.close()
