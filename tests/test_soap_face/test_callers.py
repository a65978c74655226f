"""Who calls: Basic, Bearer, a client certificate, two of them; and what anybody else is told."""

import json
import time
from base64 import b64encode

import pytest

from tests.test_soap_face.conftest import Refused
from tests.test_soap_face.gate import Gate, Reply, request
from tests.test_soap_face.messages import MEDIA, VERSIONS, envelope

BOTH = pytest.mark.parametrize("version", VERSIONS)


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


def token(gate: Gate, client: str = "ministry") -> str:
    headers = {"Authorization": gate.basic(client), "Content-Type": "application/x-www-form-urlencoded"}
    with gate.wire() as wire:
        reply = wire.ask(request("/oauth2/token", b"grant_type=client_credentials", headers))
    assert reply.status == 200, reply.body
    return f"Bearer {json.loads(reply.body)['access_token']}"


def by_certificate(gate: Gate, question: str, version: str, client: str, authorization: str | None = None) -> Reply:
    headers = {"Content-Type": MEDIA[version], "Lgsp-Purpose": "inspection"}
    if authorization is not None:
        headers["Authorization"] = authorization
    with gate.wire(client) as wire:
        return wire.ask(request("/soap/population", envelope(question, version), headers))


@BOTH
def test_a_secret(gate: Gate, question: str, version: str) -> None:
    for scheme in ("Basic ", "basic ", "BASIC  "):
        proof = gate.basic().replace("Basic ", scheme)
        reply = gate.ask("population", question, version, {"Authorization": proof, "X-Request-Id": "by-secret"})
        assert reply.status == 200, reply.body
    assert {entry["caller"]["client"] for entry in gate.entries("by-secret")} == {"ministry"}


@BOTH
def test_a_token(gate: Gate, question: str, version: str) -> None:
    reply = gate.ask("population", question, version, {"Authorization": token(gate), "X-Request-Id": "by-token"})
    assert reply.status == 200, reply.body
    assert gate.entries("by-token")[-1]["caller"]["client"] == "ministry"


@BOTH
def test_a_certificate(gate: Gate, question: str, version: str) -> None:
    reply = by_certificate(gate, question, version, "province")
    assert reply.status == 200, reply.body
    entry = gate.entries(reply.headers["x-request-id"])[0]
    assert entry["caller"]["client"] == "province"
    assert entry["caller"]["credential"].startswith("mtls:")


@BOTH
@pytest.mark.parametrize("kind", ["secret", "token"])
def test_a_certificate_and_another_proof(gate: Gate, question: str, version: str, kind: str) -> None:
    proof = {"secret": gate.basic, "token": lambda client="ministry": token(gate, client)}[kind]
    assert by_certificate(gate, question, version, "ministry", proof()).status == 200
    reply = by_certificate(gate, question, version, "province", proof())
    refused = Refused(reply, version)
    assert (reply.status, refused.code) == (401, "unauthenticated")
    assert gate.entries(reply.headers["x-request-id"]) == []
    # Each of them is good, and no token is to be fetched anew.
    assert "error=" not in reply.headers["www-authenticate"]


@BOTH
@pytest.mark.parametrize("proof", ["none", "secret"])
def test_a_certificate_that_nobody_registered(gate: Gate, question: str, version: str, proof: str) -> None:
    """It is no proof, and none against whoever proves itself otherwise: it may be that of a proxy."""
    authorization = gate.basic() if proof == "secret" else None
    reply = by_certificate(gate, question, version, "stranger", authorization)
    if proof == "secret":
        assert reply.status == 200, reply.body
    else:
        assert Refused(reply, version).fault.problem["reason"] == "unknown"


STRANGERS = {
    "nothing": (None, "missing"),
    "wrong-secret": (basic("ministry:a-bad-guess"), "unknown"),
    "unknown-client": (basic("nobody:secret"), "unknown"),
    "no-colon": (basic("ministry"), "malformed"),
    "no-base64": ("Basic ministry:secret", "malformed"),
    "not-utf-8": ("Basic " + b64encode(b"\xff\xfe:x").decode(), "malformed"),
    "empty-basic": ("Basic ", "malformed"),
    "bearer-of-nothing": ("Bearer x.y.z", None),
    "another-scheme": ('Digest username="ministry"', "malformed"),
}


@BOTH
@pytest.mark.parametrize("name", STRANGERS)
def test_strangers(gate: Gate, question: str, version: str, name: str) -> None:
    proof, reason = STRANGERS[name]
    counted = gate.counted()
    reply = gate.ask("population", question, version, {"Authorization": proof, "X-Request-Id": f"stranger-{name}"})
    refused = Refused(reply, version, secret="a-bad-guess")
    assert (reply.status, refused.code) == (401, "unauthenticated")
    assert refused.fault.code == ("Client" if version == "1.1" else "Sender")
    if reason is not None:
        assert refused.fault.problem["reason"] == reason
    assert reply.headers["www-authenticate"].startswith("Basic realm=")
    assert "Bearer" in reply.headers["www-authenticate"]
    assert ('error="invalid_token"' in reply.headers["www-authenticate"]) == (name == "bearer-of-nothing")
    # Nobody that could be named: no entry, one more in the count.
    assert "receipt" not in refused.fault.problem
    assert gate.entries(f"stranger-{name}") == []
    assert gate.counted() == counted + 1


@BOTH
def test_a_token_that_expired(gate: Gate, question: str, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = token(gate)
    monkeypatch.setattr(gate.gateway.identity.tokens, "_clock", lambda: time.time() + 100_000)
    refused = Refused(gate.ask("population", question, version, {"Authorization": proof}), version)
    assert (refused.code, refused.fault.problem["reason"]) == ("unauthenticated", "expired")
    assert "expired" in refused.reply.headers["www-authenticate"]
