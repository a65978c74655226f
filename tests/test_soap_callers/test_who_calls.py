"""The certificate alone says who calls; it counts while it is registered, living and vouched for."""

import base64
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from schemas.exchange import CallerSignature
from security.administration import add, register, revoke
from security.credentials import certificate_credential
from security.request_signatures import CallerUnsettled
from security.signature import Assurance, Rejected, SoapVersion
from security.soap_callers import SoapCallers
from security.tokens import unauthenticated
from security.trust import Presented, Signer
from security.trust_status import StatusPolicy, StatusRegister, Subject, Unsettled
from tests.test_soap_callers.callers import HEADERS, NOW, PAYLOAD, Holder, Office, client, signed

DAY = timedelta(days=1)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_a_registered_certificate_calls_for_its_client(
    office: Office, holder: Holder, version: SoapVersion
) -> None:
    ministry = await client(office, "ministry", holder)
    document = signed(holder, version=version)
    call = office.verify(document, version)
    (credential,) = (one for one in ministry.credentials if one.kind == "signature")
    assert call.caller is ministry.caller(credential)
    fingerprint = credential.material["sha256"]
    # The message lives 300 s, 60 s of skew, and as much again for a node whose clock runs ahead.
    forget_at = int(NOW.timestamp()) + 420
    assert call.signed == CallerSignature(f"sha256:{fingerprint}", NOW, call.signed.nonce, forget_at)
    assert len(bytes.fromhex(call.signed.nonce)) == 32
    assert etree.tostring(call.body, method="c14n", exclusive=True) == PAYLOAD
    assert {etree.QName(one).localname: one.text for one in call.headers} == HEADERS
    assert call.value == etree.fromstring(document).findtext(".//{*}SignatureValue")


async def test_two_messages_are_two_and_one_sent_twice_is_one(office: Office, p256: Holder) -> None:
    await client(office, "ministry", p256)
    first, second = signed(p256), signed(p256)
    nonces = [office.verify(document).signed.nonce for document in (first, second, first)]
    assert nonces[0] == nonces[2] != nonces[1]


async def test_nobody_calls_for_somebody_else(office: Office, holders: dict[str, Holder]) -> None:
    await client(office, "ministry", holders["p256"])
    await client(office, "province", holders["rsa"])
    assert office.verify(signed(holders["p256"])).caller.client_id == "ministry"
    assert office.verify(signed(holders["rsa"])).caller.client_id == "province"
    refusal = office.refused(signed(holders["p384"]))
    assert (refusal.reason, "not registered" in refusal.detail.en) == ("untrusted", True)
    stolen = Holder(replace(holders["p256"].key, token=holders["rsa"].key.token))
    # The algorithm does not fit the key of whom it names.
    assert office.refused(signed(stolen)).reason == "malformed"


async def test_another_key_than_that_of_the_certificate_proves_nothing(office: Office, p256: Holder) -> None:
    await client(office, "ministry", p256)
    other = Holder.of(ec.generate_private_key(ec.SECP256R1()), "somebody")
    assert office.refused(signed(Holder(replace(other.key, token=p256.key.token)))).reason == "altered"


async def test_a_certificate_for_tls_does_not_sign(office: Office, p256: Holder) -> None:
    credentials = [certificate_credential(p256.certificate, NOW)]
    await office.commit(add("ministry", name="A", agency="G12", credentials=credentials, by="test", at=NOW))
    assert office.refused(signed(p256)).reason == "untrusted"


async def test_who_is_taken_away_in_this_moment_is_unknown(
    office: Office, p256: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client(office, "ministry", p256)

    def taken_away(*_: object) -> None:
        raise unauthenticated("unknown")

    monkeypatch.setattr(office.registry, "by_pinned", taken_away)
    assert office.refused(signed(p256)).reason == "untrusted"


async def test_an_old_and_a_new_certificate_overlap(office: Office, holders: dict[str, Holder]) -> None:
    ministry = await client(office, "ministry", holders["p256"])
    later = certificate_credential(holders["rsa"].certificate, NOW, signs=True)
    await office.commit(register(ministry, later, by="test", at=NOW))
    for name in ("p256", "rsa"):
        assert office.verify(signed(holders[name])).caller.client_id == "ministry"


async def test_what_ended_counts_no_more(office: Office, holders: dict[str, Holder]) -> None:
    ministry = await client(office, "ministry", holders["p256"], holders["rsa"])
    ended = certificate_credential(holders["p256"].certificate, NOW, signs=True).id
    ministry = await office.commit(revoke(ministry, credential_id=ended, by="test", at=NOW))
    assert office.refused(signed(holders["p256"])).reason == "revoked"
    assert office.verify(signed(holders["rsa"]))
    await office.commit(revoke(ministry, by="test", at=NOW))
    assert office.refused(signed(holders["rsa"])).reason == "revoked"


@pytest.mark.parametrize(("days", "reason"), [(-2, "expired"), (0, None), (28, None), (29, "expired"), (40, "expired")])
async def test_a_certificate_counts_while_it_is_valid(
    office: Office, p256: Holder, days: int, reason: str | None
) -> None:
    await client(office, "ministry", p256)
    office.now = NOW + days * DAY
    document = signed(p256, now=office.now)
    if reason is None:
        assert office.verify(document)
    else:
        assert office.refused(document).reason == reason


class Domain:
    """A trust domain that has one verdict on every certificate."""

    def __init__(self, verdict: Rejected | Assurance) -> None:
        self.verdict = verdict

    def accept(self, presented: Presented, at: datetime) -> Signer:
        assert isinstance(presented, str)
        if isinstance(self.verdict, Rejected):
            raise self.verdict
        certificate = x509.load_der_x509_certificate(base64.b64decode(presented))
        return Signer(certificate, "", "", {}, at, at, self.verdict)


GOOD, REVOKED, STRANGE = Assurance("public", "good"), Rejected("revoked", "so"), Rejected("untrusted", "no path")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((GOOD,), GOOD),
        ((STRANGE, GOOD), GOOD),
        ((Assurance("public", "indeterminate"),), Assurance("public", "indeterminate")),
        ((REVOKED, STRANGE), "revoked"),
        ((STRANGE, REVOKED), "revoked"),
        ((STRANGE,), "untrusted"),
    ],
    ids=["vouched", "by the second", "indeterminate", "revoked", "revoked by the second", "unknown"],
)
async def test_where_domains_are_asked_one_has_to_vouch(
    office: Office, p256: Holder, verdicts: tuple[Rejected | Assurance, ...], expected: Assurance | str
) -> None:
    await client(office, "ministry", p256)
    office.callers.believe([Domain(verdict) for verdict in verdicts])
    if isinstance(expected, str):
        assert office.refused(signed(p256)).reason == expected
    else:
        found = office.verify(signed(p256)).signed
        assert (found.domain, found.revocation) == expected
    # Whom a domain vouches for must be registered all the same.
    office.callers = SoapCallers(office.registry, trusts=[Domain(GOOD)])
    stranger = Holder.of(ec.generate_private_key(ec.SECP256R1()), "somebody")
    assert office.refused(signed(stranger)).reason == "untrusted"


async def test_what_can_be_asked_about_is_said(office: Office, p256: Holder) -> None:
    await client(office, "ministry", p256)
    held = StatusRegister([p256.certificate], StatusPolicy())
    unsettled = Unsettled(held, [Subject(p256.certificate, p256.certificate)])
    office.callers.believe([Domain(STRANGE), Domain(unsettled)])
    refusal = office.refused(signed(p256))
    assert isinstance(refusal, CallerUnsettled)
    assert refusal.unknown.register is held
