"""Java's stacks against ours: WSS4J and Apache Santuario (Debian's), and the XML signatures of the JDK.

Their canonicalisation is not libxml2's, on which xmlsec, signxml and we all stand.
"""

import base64
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from security.signature import Rejected, SignaturePolicy
from security.signature_key import SigningKey
from security.signature_structure import C14N, C14N_1_1, EXC_C14N
from security.soap_plain import SOAP
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts, text_header
from security.xml_signature import sign_enveloped, verify_enveloped
from tests.test_signatures.conftest import NOW
from tests.test_signatures.forms import DIGESTS, KINDS, messages

JARS = ("wss4j", "xmlsec", "slf4j-api", "slf4j-nop", "commons-logging", "commons-codec")
ANY = SignaturePolicy()
INCLUSIVE = SignaturePolicy(inclusive_c14n=True)
PAYLOAD = '<q:Hoi xmlns:q="urn:hoi"><q:HoTen>Nguyễn Thị Hằng</q:HoTen></q:Hoi>'.encode()
# How WSS4J names the signer's certificate (WSConstants).
TOKEN, ISSUER_SERIAL, X509, SKI, THUMBPRINT = 1, 2, 3, 4, 8

Ask = Callable[..., bytes]


class Refused(Exception):
    """What Java said against a message."""


@pytest.fixture(scope="module")
def keys(pki) -> dict[str, SigningKey]:
    """Of each kind one, with a certificate that is valid by the clock of the machine, which Java goes by."""
    lasting = {"before": datetime(2020, 1, 1, tzinfo=UTC), "after": datetime(2080, 1, 1, tzinfo=UTC)}
    return {kind: pki.signer(kind, **lasting) for kind in KINDS}


@pytest.fixture(scope="module")
def ask(keys, tmp_path_factory) -> Iterator[Ask]:
    """One JVM for all questions; what it makes of a document, Refused where it refuses."""
    folder = tmp_path_factory.mktemp("java")
    stores = []
    for kind, key in keys.items():
        entry = serialize_key_and_certificates(
            b"k", key.private, key.certificate, None, BestAvailableEncryption(b"oracle")
        )
        (folder / kind).write_bytes(entry)
        stores.append(f"{kind}={folder / kind}")
    path = ":".join(f"/usr/share/java/{jar}.jar" for jar in JARS)
    program = Path(__file__).with_name("java") / "Oracle.java"
    quiet = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"]
    with subprocess.Popen(
        ["java", *quiet, "-cp", path, program, *stores], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as java:
        assert java.stdin
        assert java.stdout

        def answer(verb: str, kind: str, *more: object) -> bytes:
            *arguments, document = more
            words = [verb, kind, *map(str, arguments), base64.b64encode(document).decode()]
            java.stdin.write(" ".join(words).encode() + b"\n")
            java.stdin.flush()
            said, _, rest = java.stdout.readline().decode().strip().partition(" ")
            if said != "ok":
                raise Refused(rest)
            return base64.b64decode(rest)

        yield answer
        java.stdin.close()
        assert java.wait(20) == 0


def envelope(version: str) -> bytes:
    return b'<env:Envelope xmlns:env="%b"><env:Header/><env:Body>%b</env:Body></env:Envelope>' % (
        SOAP[version].encode(), PAYLOAD,
    )  # fmt: skip


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("kind", KINDS[:3])
def test_what_wss4j_signs_is_accepted(ask, pki, keys, kind, version):
    for digest in DIGESTS:
        signed = ask("wss4j-sign", kind, TOKEN, keys[kind].algorithm.uri, digest, envelope(version))
        verified = verify_soap(signed, ANY, pki.pinned(keys[kind]))
        assert verified.element[0].text == "Nguyễn Thị Hằng"
        with pytest.raises(Rejected, match="altered"):
            verify_soap(signed.replace("Hằng".encode(), b"Hang"), ANY, pki.pinned(keys[kind]))
        assert signed != signed.replace("Hằng".encode(), b"Hang")


@pytest.mark.parametrize("form", [TOKEN, ISSUER_SERIAL, X509, SKI, THUMBPRINT])
def test_however_wss4j_names_the_signer(ask, pki, keys, form):
    signed = ask("wss4j-sign", "rsa", form, keys["rsa"].algorithm.uri, min(DIGESTS), envelope("1.1"))
    assert verify_soap(signed, ANY, pki.pinned(keys["rsa"])).signer == keys["rsa"].certificate
    with pytest.raises(Rejected, match="untrusted"):
        verify_soap(signed, ANY, pki.pinned(keys["p256"]))


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("kind", KINDS[:3])
def test_what_we_sign_is_accepted_by_wss4j(ask, keys, kind, version):
    headers = [text_header("urn:h", "H", "ễ & <")]
    for confirms in (None, "QUJD"):
        signed = sign_soap_parts(PAYLOAD, keys[kind], version=version, headers=headers, confirms=confirms).envelope
        ask("wss4j-verify", kind, signed)
        with pytest.raises(Refused, match="decryption was invalid"):
            ask("wss4j-verify", kind, signed.replace("Hằng".encode(), b"Hang"))


@pytest.mark.parametrize("prefix", [b"", b"d:"])
@pytest.mark.parametrize("transform", ["none", C14N, C14N_1_1, EXC_C14N])
@pytest.mark.parametrize("c14n", [C14N, C14N_1_1, EXC_C14N])
def test_documents_that_the_jdk_and_santuario_sign_are_accepted(ask, pki, keys, c14n, transform, prefix):
    declared = b"xmlns:d" if prefix else b"xmlns"
    document = (
        b'<%bA %b="urn:land" xmlns:unused="urn:u" xml:lang="vi" xml:id="i" issuedAt="2026-11-22T08:00:00Z">'
        b'<b xmlns="">&lt;&#13;</b> <%bS>12</%bS></%bA>' % (prefix, declared, prefix, prefix, prefix)
    )
    for verb, kinds in (("jdk-sign", KINDS), ("santuario-sign", ["rsa"])):
        for kind in kinds:
            signed = ask(verb, kind, keys[kind].algorithm.uri, c14n, transform, document)
            assert verify_enveloped(signed, INCLUSIVE, pki.pinned(keys[kind]), now=NOW).signed_at == NOW
            with pytest.raises(Rejected, match="altered"):
                verify_enveloped(signed.replace(b">12<", b">13<"), INCLUSIVE, pki.pinned(keys[kind]), now=NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_what_we_sign_is_accepted_by_the_jdk(ask, keys, kind):
    document = b'<a xmlns="urn:a" issuedAt="2026-11-22T08:00:00Z"><b xmlns:c="urn:c">\xe1\xbb\x85</b></a>'
    for signed in (sign_enveloped(document, keys[kind]), sign_soap_parts(PAYLOAD, keys[kind]).envelope):
        ask("jdk-verify", kind, signed)
        with pytest.raises(Refused, match="not valid"):
            ask("jdk-verify", kind, signed.replace(b"\xe1\xbb\x85", b"e"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_form_that_we_accept_is_accepted_by_the_jdk(ask, pki, keys, data):
    message = data.draw(messages(keys))
    document = message.signed(NOW)
    assert verify_soap(document, ANY, pki.pinned(message.key), now=NOW)
    ask("jdk-verify", next(kind for kind, key in keys.items() if key is message.key), document)
