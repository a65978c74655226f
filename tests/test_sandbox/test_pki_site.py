"""What the sandbox's authorities serve over HTTP, as OpenSSL asks for it, and how it misbehaves."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, ServerDisconnectedError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from sandbox.registry import PKI_FAULTS
from sandbox.run import Running, read_faults, start
from sandbox.world.world import World
from security.signature import utc_now
from security.trust import load_certificates
from security.trust_ocsp import Unusable, judged, question
from tests.test_sandbox.visitor import REGISTRIES, Visitor


async def openssl(*arguments: str | Path) -> str:
    """Run OpenSSL beside the event loop that serves it; return all that it printed."""
    process = await asyncio.create_subprocess_exec(
        "openssl", *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return said.decode()


async def asked(running: Running, *what: str | Path, digest: str = "-sha1") -> str:
    """What `openssl ocsp` makes of the responder's answer."""
    authority = running.pki.registries_ca
    where = ("-url", f"{running.pki_url}/ocsp", "-CAfile", authority)
    return await openssl("ocsp", "-issuer", authority, digest, *what, *where)


async def posted(visitor: Visitor, body: bytes, media: str = "application/ocsp-request") -> tuple[int, bytes]:
    headers = {"Content-Type": media}
    async with visitor.session.post(f"{visitor.running.pki_url}/ocsp", data=body, headers=headers) as answer:
        return answer.status, await answer.read()


def registered(visitor: Visitor, variant: str = "") -> tuple[x509.Certificate, x509.Certificate]:
    """A certificate of the tax registry and its issuer."""
    pki = visitor.running.pki
    path = pki.registry("tax").certificate
    (certificate,) = load_certificates(path.with_name(f"registry-tax{variant}.pem"))
    (issuer,) = load_certificates(pki.registries_ca)
    return certificate, issuer


@pytest.fixture
async def healed(visitor: Visitor) -> AsyncIterator[Visitor]:
    yield visitor
    await misbehave(visitor, None)


async def misbehave(visitor: Visitor, kind: str | None) -> int:
    async with visitor.session.put(f"{visitor.running.pki_url}/_faults", json={"fault": kind}) as answer:
        return answer.status


@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
async def test_openssl_believes_the_responder(visitor: Visitor, digest: str) -> None:
    path = visitor.running.pki.registry("tax").certificate
    good = await asked(visitor.running, "-cert", path, digest=digest)
    assert "Response verify OK" in good
    assert f"{path}: good" in good
    assert "WARNING: no nonce" not in good
    revoked = await asked(visitor.running, "-cert", path.with_name("registry-tax-revoked.pem"), digest=digest)
    assert ": revoked" in revoked
    assert "Reason: keyCompromise" in revoked
    assert ": unknown" in await asked(visitor.running, "-serial", "0x1234", digest=digest)


async def test_the_responder_is_a_delegate_of_the_issuer(visitor: Visitor) -> None:
    certificate, issuer = registered(visitor)
    _, body = await posted(visitor, question(certificate, issuer))
    response = ocsp.load_der_ocsp_response(body)
    (delegate,) = response.certificates
    delegate.verify_directly_issued_by(issuer)
    usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.OCSP_SIGNING]
    assert delegate.extensions.get_extension_for_class(x509.OCSPNoCheck)
    assert not response.extensions


@pytest.mark.parametrize("length", [1, 16, 32, 128])
async def test_a_nonce_is_repeated(visitor: Visitor, length: int) -> None:
    certificate, issuer = registered(visitor)
    nonce = bytes(range(length))
    _, body = await posted(visitor, question(certificate, issuer, nonce))
    response = ocsp.load_der_ocsp_response(body)
    assert response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce


async def test_get_and_post_answer_alike(visitor: Visitor) -> None:
    certificate, issuer = registered(visitor)
    texts = []
    for number in range(64):
        # Base64 has slashes and plus signs, some side by side: whatever a question holds, its path leads there.
        nonce = bytes([255 - number, 255, 255, 254, 255, 255, 251, 240, number])
        body = question(certificate, issuer, nonce)
        texts.append(base64.b64encode(body).decode())
        quoted = quote(texts[-1], safe="" if number % 2 else "/+=")
        async with visitor.session.get(f"{visitor.running.pki_url}/ocsp/{quoted}") as answer:
            assert answer.content_type == "application/ocsp-response"
            assert "max-age=600" in answer.headers["Cache-Control"]
            found = judged(await answer.read(), issuer, utc_now(), nonce=nonce)
        assert (found.status, found.serial) == ("good", certificate.serial_number)
    assert any("//" in text for text in texts)
    assert any("+" in text for text in texts)


@pytest.mark.parametrize("body", [b"", b"\x30\x00", b"hello", bytes(5000)])
async def test_what_is_no_question(visitor: Visitor, body: bytes) -> None:
    status, answer = await posted(visitor, body)
    assert status == 200
    assert ocsp.load_der_ocsp_response(answer).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    async with visitor.session.get(f"{visitor.running.pki_url}/ocsp/***") as got:
        refused = ocsp.load_der_ocsp_response(await got.read())
    assert refused.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    assert (await posted(visitor, body, "text/plain"))[0] == 415


async def test_an_overlong_nonce_and_a_strange_issuer(visitor: Visitor) -> None:
    certificate, issuer = registered(visitor)
    _, long = await posted(visitor, question(certificate, issuer, bytes(129)))
    assert ocsp.load_der_ocsp_response(long).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(bytes(20), bytes(20), 5, hashes.SHA1())
    _, strange = await posted(visitor, builder.build().public_bytes(Encoding.DER))
    assert ocsp.load_der_ocsp_response(strange).response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


async def test_a_list_follows_every_revocation(visitor: Visitor, tmp_path: Path) -> None:
    pki, listed = visitor.running.pki, tmp_path / "a.crl"
    fresh = pki.fresh("tax").certificate
    seen = []
    for revoke in (False, True):
        if revoke:
            (authority,) = (one for one in pki.store.authorities() if one.name == "registries-ca")
            authority.revoke(fresh.serial_number, utc_now(), "superseded")
        async with visitor.session.get(f"{visitor.running.pki_url}/crl/registries-ca.crl") as answer:
            assert answer.content_type == "application/pkix-crl"
            listed.write_bytes(await answer.read())
        crl = x509.load_der_x509_crl(listed.read_bytes())
        seen.append(crl.get_revoked_certificate_by_serial_number(fresh.serial_number) is not None)
    assert seen == [False, True]
    told = await openssl("crl", "-inform", "DER", "-in", listed, "-noout", "-CAfile", pki.registries_ca)
    assert "verify OK" in told
    # The responder says so in the same moment.
    _, issuer = registered(visitor)
    _, body = await posted(visitor, question(fresh, issuer))
    assert judged(body, issuer, utc_now()).status == "revoked"


async def test_certificates_name_what_is_served(visitor: Visitor) -> None:
    certificate, issuer = registered(visitor)
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    places = {one.access_method.dotted_string: one.access_location.value for one in access}
    assert places[x509.AuthorityInformationAccessOID.OCSP.dotted_string] == f"{visitor.running.pki_url}/ocsp"
    async with visitor.session.get(places[x509.AuthorityInformationAccessOID.CA_ISSUERS.dotted_string]) as answer:
        assert answer.content_type == "application/pkix-cert"
        assert x509.load_der_x509_certificate(await answer.read()) == issuer
    (point,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    async with visitor.session.get(point.full_name[0].value) as answer:
        assert x509.load_der_x509_crl(await answer.read()).is_signature_valid(issuer.public_key())
    for wrong in ("/crl/nobody.crl", "/ca/nobody.cer", "/ca/..%2fsite.cer"):
        async with visitor.session.get(f"{visitor.running.pki_url}{wrong}") as answer:
            assert answer.status == 404


@pytest.mark.parametrize("kind", PKI_FAULTS)
async def test_faults_of_the_responder_prove_nothing(healed: Visitor, kind: str) -> None:
    certificate, issuer = registered(healed)
    nonce = b"n" * 16
    assert await misbehave(healed, kind) == 200
    _, body = await posted(healed, question(certificate, issuer, nonce))
    if kind == "unknown":
        assert judged(body, issuer, utc_now(), nonce=nonce).status == "unknown"
    else:
        with pytest.raises(Unusable):
            judged(body, issuer, utc_now(), nonce=nonce)
    said = await asked(healed.running, "-cert", healed.running.pki.registry("tax").certificate)
    assert {
        "stale": "expired",
        "unknown": ": unknown",
        "wrong-signer": "Response Verify Failure",
        "wrong-nonce": "Nonce Verify error",
        "try-later": "trylater",
    }[kind] in said


@pytest.mark.parametrize("kind", ["stale", "wrong-signer"])
async def test_faults_reach_the_lists(healed: Visitor, kind: str) -> None:
    await misbehave(healed, kind)
    async with healed.session.get(f"{healed.running.pki_url}/crl/registries-ca.crl") as answer:
        crl = x509.load_der_x509_crl(await answer.read())
    _, issuer = registered(healed)
    assert crl.next_update_utc is not None
    assert crl.is_signature_valid(issuer.public_key()) is (kind == "stale")
    assert (crl.next_update_utc < utc_now()) is (kind == "stale")


async def test_common_faults_strike_the_site_as_well(healed: Visitor) -> None:
    await misbehave(healed, "down")
    with pytest.raises(ServerDisconnectedError):
        await posted(healed, b"")
    await misbehave(healed, "malformed")
    certificate, issuer = registered(healed)
    _, body = await posted(healed, question(certificate, issuer))
    with pytest.raises(Unusable):
        judged(body, issuer, utc_now())
    assert await misbehave(healed, "tampered") == 422
    assert await misbehave(healed, "unsigned") == 422


async def test_a_restart_on_another_port_makes_certificates_that_say_so(world: World, tmp_path: Path) -> None:
    before = await start(world, tmp_path, registries=REGISTRIES)
    old = before.pki.signer("tax").certificate
    client = before.pki.client("ministry").certificate.read_bytes()
    await before.close()
    after = await start(world, tmp_path, registries=REGISTRIES, faults=read_faults(["pki:unknown"]))
    try:
        assert after.pki_url != before.pki_url
        new = after.pki.signer("tax").certificate
        assert after.pki_url in repr(new.extensions.get_extension_for_class(x509.AuthorityInformationAccess))
        assert (new.subject, new.public_key()) == (old.subject, old.public_key())
        assert ": unknown" in await asked(after, "-cert", after.pki.registry("tax").certificate)
        async with ClientSession() as session, session.put(f"{after.pki_url}/_faults", json={"fault": None}) as answer:
            assert answer.status == 200
        for variant, wanted in (("", ": good"), ("-revoked", ": revoked")):
            path = after.pki.registry("tax").certificate.with_name(f"registry-tax{variant}.pem")
            assert wanted in await asked(after, "-cert", path)
        # Others are registered by these very certificates.
        assert after.pki.client("ministry").certificate.read_bytes() == client
    finally:
        await after.close()
