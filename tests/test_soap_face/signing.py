"""Messages that a client of the gate signs with its registered certificate."""

from collections.abc import Mapping, Sequence

from security.signature_key import SigningKey
from security.soap_callers import GATEWAY
from security.soap_signing import sign_soap
from tests.test_soap_face.gate import Gate, Reply
from tests.test_soap_face.messages import envelope

PURPOSE = "<g:Purpose>inspection</g:Purpose>"


def signed(
    gate: Gate, question: str, version: str, blocks: str = "", names: Sequence[str] = (), client: str = "ministry"
) -> bytes:
    """A message with its purpose signed, and further header blocks: those of these Clark names are signed too."""
    pair = gate.registries.pki.client(client)
    key = SigningKey.load(pair.key, pair.certificate)
    return sign_soap(
        envelope(question, version, PURPOSE + blocks), key, headers=(f"{{{GATEWAY}}}Purpose", *names)
    ).envelope


def send(gate: Gate, document: bytes, version: str, headers: Mapping[str, str | None] | None = None) -> Reply:
    """Send it with nothing that HTTP proves or says, unless `headers` do."""
    said = {"Authorization": None, "Lgsp-Purpose": None, **(headers or {})}
    return gate.send("/soap/population", document, said, version=version)
