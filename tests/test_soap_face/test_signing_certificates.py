"""A certificate that is not made for signing proves nobody, whoever registered it (RFC 5280, section 4.2.1.3)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from security.client_store import store
from security.clients import Client, StoredCredential, pinned_id
from security.signature_key import SigningKey
from security.soap_callers import GATEWAY
from security.soap_signing import sign_soap
from tests.test_request_signatures.callers import make_certificate
from tests.test_soap_face.conftest import Refused
from tests.test_soap_face.gate import Gate, Reply
from tests.test_soap_face.messages import VERSIONS, envelope
from tests.test_soap_face.signing import PURPOSE, send

BOTH = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(scope="module", params=["signs", "enciphers"])
def held(gate: Gate, request: pytest.FixtureRequest) -> Iterator[SigningKey]:
    """A certificate as an older release registered it, whatever it is made for."""
    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    usage = "digital_signature" if request.param == "signs" else "key_agreement"
    made = make_certificate(private, request.param, now - timedelta(days=1), now + timedelta(days=1), usage=usage)
    key = SigningKey.of(private, made)
    digest = made.fingerprint(made.signature_hash_algorithm).hex()  # type: ignore[arg-type]  # SHA-256
    material = {"sha256": digest, "certificate": key.token.decode()}
    credential = StoredCredential("signature", pinned_id("signature", digest), material, now, made.not_valid_after_utc)

    async def keep(change: list[StoredCredential]) -> Client:
        registry = gate.gateway.identity.registry
        await registry.refresh()
        client = registry.get("ministry")
        assert client is not None
        others = tuple(item for item in client.credentials if item.id != credential.id)
        after = replace(client, credentials=(*others, *change))
        await gate.gateway.storage.write(lambda connection: store(connection, after))
        await registry.refresh()
        return client

    gate.run(keep([credential]))
    yield key
    gate.run(keep([]))


def ask(gate: Gate, question: str, version: str, key: SigningKey) -> Reply:
    document = sign_soap(envelope(question, version, PURPOSE), key, headers=[f"{{{GATEWAY}}}Purpose"]).envelope
    return send(gate, document, version)


@BOTH
def test_only_one_made_for_signing_signs(gate: Gate, question: str, version: str, held: SigningKey) -> None:
    reply = ask(gate, question, version, held)
    if "CN=signs" in held.certificate.subject.rfc4514_string():
        assert reply.status == 200, reply.body
    else:
        refused = Refused(reply, version)
        assert (refused.code, refused.fault.problem["reason"]) == ("signature-rejected", "untrusted")
        assert "keyUsage" in refused.fault.text
