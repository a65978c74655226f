"""Two trust domains that never mix, and who is expected in one: configuration, start-up, `lgsp check`, verdicts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from adapters.trust_domains import TrustDomains
from config.settings import ConfigurationError, Domain, Expected, Settings
from routes.trust_findings import trust_findings
from security.signature import Rejected
from security.trust import Trust
from tests.test_revocation.issuing import DAY, NOW, Holder, der, named, usage
from tests.test_revocation.two_domains import GOVERNMENT, POLICY, PUBLIC, RSA_2048, Files, policies, refusal, trust, two


def test_a_certificate_of_the_other_domain_is_refused_by_name(files: Files) -> None:
    domains = two(files)
    ours, theirs = GOVERNMENT.issue(), PUBLIC.issue()
    judge = trust(files, domains, domain="government", expect=Expected(subject="CN=CSDL thử,O=Cơ quan thử,C=VN"))
    assert judge.accept(der(ours.certificate), NOW).assurance == ("government", None)
    refused = refusal(judge, theirs)
    assert refused.reason == "untrusted"
    assert "belongs to the trust domain public, expected is government" in refused.detail
    stranger = refusal(judge, Holder.root("CA lạ").issue())
    assert (stranger.reason, "no path" in stranger.detail) == ("untrusted", True)
    # A look-alike of the other domain's root is nobody's.
    assert "no path" in refusal(judge, Holder.root("CA quốc gia").issue()).detail


def shared_anchor(files: Files) -> dict[str, Domain]:
    return {"public": Domain(anchors=(files(PUBLIC),)), "government": Domain(anchors=(files(GOVERNMENT, PUBLIC),))}


def certified_crosswise(files: Files) -> dict[str, Domain]:
    """The public root certified the Government's: by that certificate everything of the one would pass as the other."""
    bridge = Holder(PUBLIC.issue("CA chuyên dùng Chính phủ", key=GOVERNMENT.key, ca=True).certificate, GOVERNMENT.key)
    return {
        "public": Domain(anchors=(files(PUBLIC),), intermediates=(files(bridge),)),
        "government": Domain(anchors=(files(GOVERNMENT),)),
    }


def shared_intermediate(files: Files) -> dict[str, Domain]:
    middle = PUBLIC.authority()
    return {
        "public": Domain(anchors=(files(PUBLIC),), intermediates=(files(middle),)),
        "government": Domain(anchors=(files(GOVERNMENT),), intermediates=(files(middle),)),
    }


@pytest.mark.parametrize("mixed", [shared_anchor, certified_crosswise, shared_intermediate])
def test_domains_that_share_an_authority_are_refused(files: Files, mixed: Callable[[Files], dict[str, Domain]]) -> None:
    sections = mixed(files)
    with pytest.raises(ConfigurationError, match=r"\[trust\.public\] and \[trust\.government\] both hold CN="):
        TrustDomains.load(sections)
    found = list(trust_findings(Settings(trust=sections)))
    (problem,) = [one for one in found if one.level == "problem"]
    assert (problem.subject, bool(problem.next)) == ("trust", True)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PUBLIC.issue(),
        lambda: Holder.root("CA", said=usage("crl_sign")),
        lambda: Holder.root("CA", key=rsa.generate_private_key(65537, 1024)),
        lambda: PUBLIC.issue("CA", ca=True, more=[(x509.NameConstraints([x509.DNSName("example")], None), True)]),
        lambda: PUBLIC.issue("CA", ca=True, more=[(x509.NameConstraints([x509.DNSName("example")], None), False)]),
        lambda: PUBLIC.issue(
            "CA", ca=True, more=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0"), True)]
        ),
        lambda: PUBLIC.issue("CA", ca=True, more=[(x509.PolicyConstraints(0, None), True)]),
        lambda: PUBLIC.issue("CA", ca=True, more=[(x509.InhibitAnyPolicy(0), True)]),
    ],
    ids=["leaf", "usage", "weak", "names", "names, not critical", "strange", "policy constraints", "any policy"],
)
def test_what_cannot_be_an_authority_is_named_at_the_start(files: Files, wrong: Callable[[], Holder]) -> None:
    with pytest.raises(ConfigurationError, match=r"\[trust\.public\]: CN=.* cannot vouch"):
        TrustDomains.load({"public": Domain(anchors=(files(PUBLIC),), intermediates=(files(wrong()),))})


def test_the_expected_signer_is_told_by_more_than_its_name(files: Files) -> None:
    domains = two(files)
    agency = {"organization_identifier": "MĐD:G12.34"}
    genuine = PUBLIC.issue(subject=named("CSDL thử", **agency), more=policies(POLICY, "1.2.3"))

    def judge(**expect: Any) -> Trust:
        return trust(files, domains, domain="public", signer=files(genuine), expect=Expected(**expect))

    assert judge().accept(der(genuine.certificate), NOW)
    assert "another signer" in refusal(judge(), PUBLIC.issue()).detail
    assert judge(agency="G12.34").accept(der(genuine.certificate), NOW)
    for other in ("G12.3", "G12.34.1", "MĐD:G12.34", "g12.34"):
        assert "agency" in refusal(judge(agency=other), genuine).detail, other
    assert judge(policies=(POLICY,)).accept(der(genuine.certificate), NOW)
    assert "policy" in refusal(judge(policies=("1.2.4",)), genuine).detail
    assert "commitment" in refusal(judge(content_commitment=True), genuine).detail
    both = PUBLIC.issue(subject=genuine.certificate.subject, said=usage("digital_signature", "content_commitment"))
    assert judge(content_commitment=True).accept(der(both.certificate), NOW)
    small = PUBLIC.issue(subject=genuine.certificate.subject, key=RSA_2048)
    assert judge().accept(der(small.certificate), NOW)
    assert "2048 bits, expected are 3072" in refusal(judge(key_bits=3072), small).detail
    # Its shortest length is that of RSA keys: curves have their own list.
    assert judge(key_bits=3072).accept(der(genuine.certificate), NOW)


@pytest.mark.parametrize("attribute", ["organization_identifier", "user_id", "serial_number"])
@pytest.mark.parametrize("prefix", ["", "MST:"])
def test_the_agency_stands_in_one_of_three_places_of_the_subject(files: Files, attribute: str, prefix: str) -> None:
    holder = PUBLIC.issue(subject=named("Cục Thuế", **{attribute: f"{prefix}0100109106"}))
    judge = trust(files, two(files), domain="public", expect=Expected(agency="0100109106"))
    assert judge.accept(der(holder.certificate), NOW).subject == holder.certificate.subject.rfc4514_string()
    elsewhere = PUBLIC.issue(subject=named("0100109106", locality_name="0100109106"))
    assert "agency" in refusal(judge, elsewhere).detail


def test_a_policy_holds_along_the_whole_path(files: Files) -> None:
    any_policy = "2.5.29.32.0"
    for stated, holds in (((POLICY,), True), ((any_policy,), True), (("1.2.3",), False), ((), False)):
        middle = PUBLIC.authority(more=policies(*stated) if stated else ())
        leaf = middle.issue(more=policies(POLICY))
        section = Domain(anchors=(files(PUBLIC),), intermediates=(files(middle),), revocation="off")
        judge = trust(
            files,
            TrustDomains.load({"public": section}),
            domain="public",
            signer=files(leaf),
            expect=Expected(policies=(POLICY,)),
        )
        if holds:
            assert judge.accept(der(leaf.certificate), NOW)
        else:
            assert "policy" in refusal(judge, leaf).detail
    # A signer may not say that it was issued under any.
    leaf = PUBLIC.issue(more=policies(any_policy))
    judge = trust(files, two(files), domain="public", signer=files(leaf), expect=Expected(policies=(POLICY,)))
    assert "policy" in refusal(judge, leaf).detail


def test_pinned_certificates_of_a_domain_are_vouched_for_as_well(files: Files) -> None:
    old, new, foreign = PUBLIC.issue(after=NOW + DAY), PUBLIC.issue("CSDL mới"), GOVERNMENT.issue()
    judge = trust(files, two(files), domain="public", pinned=(files(old, new), files(foreign)))
    for holder in (old, new):
        assert judge.accept(der(holder.certificate), NOW).assurance.domain == "public"
    assert "not the expected" in refusal(judge, PUBLIC.issue()).detail
    assert "trust domain government" in refusal(judge, foreign).detail
    # The old one ends, the new one goes on.
    with pytest.raises(Rejected) as refused:
        judge.accept(der(old.certificate), NOW + 2 * DAY)
    assert refused.value.reason == "expired"
    assert judge.accept(der(new.certificate), NOW + 2 * DAY)


def test_an_old_and_a_new_name_are_expected_side_by_side(files: Files) -> None:
    old, new = PUBLIC.issue("Bộ cũ"), PUBLIC.issue("Bộ mới")
    for options in ({"domain": "public"}, {"trust": (files(PUBLIC),)}):
        judge = trust(files, two(files), signer=files(old, new), **options)
        for holder in (old, new, PUBLIC.issue("Bộ mới")):
            assert judge.accept(der(holder.certificate), NOW)
        assert refusal(judge, PUBLIC.issue("Bộ khác")).reason == "untrusted"


def test_a_purpose_that_is_none_of_signing_messages_is_refused(files: Files) -> None:
    judge = trust(files, two(files), domain="public", signer=files(PUBLIC.issue()))
    for purpose, critical, good in (
        (ExtendedKeyUsageOID.SERVER_AUTH, True, False),
        (ExtendedKeyUsageOID.OCSP_SIGNING, True, False),
        (ExtendedKeyUsageOID.SERVER_AUTH, False, False),
        (ExtendedKeyUsageOID.CLIENT_AUTH, False, True),
        (ExtendedKeyUsageOID.EMAIL_PROTECTION, True, True),
        (x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"), True, True),
    ):
        holder = PUBLIC.issue(more=[(x509.ExtendedKeyUsage([purpose]), critical)])
        if good:
            assert judge.accept(der(holder.certificate), NOW)
        else:
            assert "another purpose" in refusal(judge, holder).detail


def test_self_issued_authorities_do_not_shorten_a_path(files: Files) -> None:
    """RFC 5280 section 4.2.1.9: an authority that changed its key certified itself with the old one."""
    short = PUBLIC.authority("CA cấp 1", length=0)
    renewed = Holder(short.issue("CA cấp 1", ca=True).certificate, None)
    key = Holder.root("x").key
    renewed = Holder(short.issue("CA cấp 1", key=key, ca=True).certificate, key)
    leaf = renewed.issue()
    section = Domain(anchors=(files(PUBLIC),), intermediates=(files(short, renewed),), revocation="off")
    judge = trust(files, TrustDomains.load({"public": section}), domain="public", signer=files(leaf))
    assert judge.accept(der(leaf.certificate), NOW)
    other = short.authority("CA cấp 2")
    below = other.issue()
    section = Domain(anchors=(files(PUBLIC),), intermediates=(files(short, other),), revocation="off")
    judge = trust(files, TrustDomains.load({"public": section}), domain="public", signer=files(below))
    assert refusal(judge, below).reason == "untrusted"


def test_an_authority_that_is_over_vouches_for_nobody(files: Files) -> None:
    over = PUBLIC.authority("CA hết hạn", after=NOW - timedelta(hours=1))
    leaf = over.issue()
    section = Domain(anchors=(files(PUBLIC),), intermediates=(files(over),), revocation="off")
    judge = trust(files, TrustDomains.load({"public": section}), domain="public", signer=files(leaf))
    assert refusal(judge, leaf).reason == "expired"
