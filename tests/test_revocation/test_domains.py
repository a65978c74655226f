"""Two trust domains that never mix, and who is expected in one: configuration, start-up, `lgsp check`, verdicts."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from adapters import DATABASES
from adapters.dispatch import compile_codecs, served
from adapters.endpoint_trust import trust_of
from adapters.trust_domains import NO_DOMAINS, TrustDomains
from config.settings import ConfigurationError, Domain, Endpoint, Expected, Settings, load
from routes import diagnosis
from routes.trust_findings import trust_findings
from security.signature import Rejected
from security.trust import Trust
from security.trust_status import Unsettled
from tests.test_revocation.issuing import DAY, NOW, Holder, der, named, pem, usage

PUBLIC = Holder.root("CA quốc gia")
GOVERNMENT = Holder.root("CA chuyên dùng Chính phủ")
RSA_2048 = rsa.generate_private_key(65537, 2048)
POLICY = "1.3.6.1.4.1.99999.1"


def policies(*oids: str) -> list[tuple[x509.ExtensionType, bool]]:
    found = [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids]
    return [(x509.CertificatePolicies(found), False)]


class Files:
    """Certificates as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def __call__(self, *holders: Holder) -> Path:
        self.count += 1
        path = self.folder / f"{self.count}.pem"
        path.write_bytes(pem(*(holder.certificate for holder in holders)))
        return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def two(files: Files, **more: Any) -> TrustDomains:
    off = {"revocation": "off"} | more
    return TrustDomains.load(
        {
            "public": Domain(anchors=(files(PUBLIC),), **off),
            "government": Domain(anchors=(files(GOVERNMENT),), **off),
        }
    )


def trust(files: Files, domains: TrustDomains, **endpoint: Any) -> Trust:
    return trust_of("tax", Endpoint(url="http://127.0.0.1", **endpoint), domains)


def refusal(judge: Trust, holder: Holder) -> Rejected:
    with pytest.raises(Rejected) as refused:
        judge.accept(der(holder.certificate), NOW)
    return refused.value


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


def test_a_critical_purpose_that_is_none_of_signing_messages_is_refused(files: Files) -> None:
    judge = trust(files, two(files), domain="public", signer=files(PUBLIC.issue()))
    for purpose, critical, good in (
        (ExtendedKeyUsageOID.SERVER_AUTH, True, False),
        (ExtendedKeyUsageOID.OCSP_SIGNING, True, False),
        (ExtendedKeyUsageOID.SERVER_AUTH, False, True),
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


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ({}, "needs signer"),
        ({"domain": "private", "expect": Expected(agency="G1")}, "there is no section"),
        ({"domain": "public"}, "would believe every signer"),
        ({"domain": "public", "expect": Expected(content_commitment=True)}, "would believe every signer"),
        ({"domain": "public", "expect": Expected(subject="CN=")}, "is no name"),
        ({"domain": "public", "expect": Expected(subject="nobody")}, "is no name"),
        ({"domain": "public", "trust": True, "expect": Expected(agency="G1")}, "also trust or crl"),
        ({"trust": True}, "needs signer"),
        ({"pinned": True, "expect": Expected(agency="G1")}, "says nothing about pinned"),
    ],
)
def test_what_would_believe_anybody_or_contradicts_itself_is_refused(files: Files, endpoint: Any, said: str) -> None:
    for setting in ("trust", "pinned"):
        if endpoint.get(setting) is True:
            endpoint = endpoint | {setting: (files(PUBLIC if setting == "trust" else PUBLIC.issue()),)}
    with pytest.raises(ConfigurationError, match=said):
        trust(files, two(files), **endpoint)


def test_expected_signers_are_asked_about_before_the_first_message(files: Files) -> None:
    middle = PUBLIC.authority(ocsp_url="http://127.0.0.1:9/")
    leaf = middle.issue(ocsp_url="http://127.0.0.1:9/")
    domains = TrustDomains.load({"public": Domain(anchors=(files(PUBLIC),), intermediates=(files(middle),))})
    judge = trust(files, domains, domain="public", signer=files(leaf))
    ((_, register),) = domains.registers()
    assert register.asked_about() == [
        (leaf.certificate, middle.certificate), (middle.certificate, PUBLIC.certificate)
    ]  # fmt: skip
    assert isinstance(refusal(judge, leaf), Unsettled)


CONFIGURATION = """
[trust.public]
anchors = ["{public}"]
{public_more}

[trust.government]
anchors = ["{government}"]
crl = ["{crl}"]
from_certificates = false

[endpoints.tax]
url = "http://127.0.0.1:9"
domain = "{domain}"
signer = "{signer}"
key = "{key}"
certificate = "{certificate}"
{endpoint_more}
params = {{ agency = "H26", service = "tax" }}
"""


def written(files: Files, **values: str) -> Settings:
    """A configuration of two domains and one endpoint, read as `lgsp serve` reads it."""
    ours = PUBLIC.issue("Trục")
    (files.folder / "key.pem").write_bytes(ours.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (files.folder / "key.pem").chmod(0o600)
    (files.folder / "government.crl").write_bytes(der(GOVERNMENT.crl()))
    defaults = {
        "public": files(PUBLIC), "government": files(GOVERNMENT), "crl": files.folder / "government.crl",
        "domain": "government", "signer": files(GOVERNMENT.issue()), "key": files.folder / "key.pem",
        "certificate": files(ours), "public_more": "", "endpoint_more": "",
    }  # fmt: skip
    path = files.folder / "gateway.toml"
    path.write_text(CONFIGURATION.format(**{**defaults, **values}), encoding="utf-8")
    return load(path)


def found_in(settings: Settings) -> dict[str, list[str]]:
    # The parts of `configuration` that are about trust: contracts, for example, are the same each time.
    parts = (diagnosis._files, diagnosis._trust, diagnosis._endpoints)
    assert set(parts) <= set(diagnosis._PARTS)
    found = [finding for part in parts for finding in part(settings, DATABASES)]
    findings = [one for one in found if "trust" in one.subject or "tax" in one.subject]
    assert all(one.next for one in findings if one.level != "ok")
    return {
        level: [f"{one.subject}: {one.text}" for one in findings if one.level == level]
        for level in ("ok", "warning", "problem")
    }


def test_a_sound_configuration_is_found_so_and_serves(files: Files) -> None:
    settings = written(files)
    found = found_in(settings)
    assert found["problem"] == []
    assert any("trust.government" in line and "revocation by files" in line for line in found["ok"])
    assert [line.partition(":")[0] for line in found["warning"]] == ["trust.public"]  # no endpoint names it
    assert compile_codecs(served(DATABASES, settings.endpoints), settings.endpoints, domains=domains_of(settings))
    with pytest.raises(ConfigurationError, match="there is no section"):
        compile_codecs(served(DATABASES, settings.endpoints), settings.endpoints, domains=NO_DOMAINS)


def domains_of(settings: Settings) -> TrustDomains:
    return TrustDomains.load(settings.trust)


@pytest.mark.parametrize(
    ("values", "level", "said"),
    [
        ({"domain": "goverment"}, "problem", "there is no section [trust.goverment]; known are public, government"),
        ({"public": "missing.pem"}, "problem", "missing.pem"),
        ({"crl": "missing.crl"}, "problem", "missing.crl"),
        ({"public_more": 'revocation = "off"'}, "warning", "without asking whether they were revoked"),
        ({"public_more": 'when_silent = "accept"'}, "warning", "believed as indeterminate"),
        ({"public_more": "from_certificates = false"}, "problem", "nobody can be asked"),
        ({"public_more": 'from_certificates = false\nwhen_silent = "accept"'}, "warning", "nobody can be asked"),
        ({"endpoint_more": 'trust = ["1.pem"]'}, "problem", "also trust or crl"),
    ],
)
def test_each_mistake_is_found_with_the_next_step(files: Files, values: dict[str, str], level: str, said: str) -> None:
    assert any(said in line for line in found_in(written(files, **values))[level])


@pytest.mark.parametrize(
    "wrong",
    [
        'crl_urls = ["ftp://crl.example/"]', 'ocsp_url = "file:///etc/passwd"', 'ocsp_url = "http://u:p@ocsp.example"',
        'when_silent = "ignore"', 'revocation = "sometimes"', "anchors2 = []",
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused_by_name(files: Files, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"trust\.public\.{wrong.split(' ')[0]}"):
        written(files, public_more=wrong)


def test_a_list_of_another_authority_is_named(files: Files) -> None:
    (files.folder / "wrong.crl").write_bytes(der(PUBLIC.crl()))
    found = found_in(written(files, crl=str(files.folder / "wrong.crl")))
    assert any(
        "wrong.crl" in line and "not signed by one of the given authorities" in line for line in found["problem"]
    )


def test_the_directory_of_what_was_fetched_must_be_one(files: Files) -> None:
    (files.folder / "revocation").write_bytes(b"")
    findings = list(trust_findings(written(files)))
    assert [one.subject for one in findings if one.level == "problem"] == ["revocation.directory"]
    assert json.dumps([one.text for one in findings])


def test_an_authority_that_is_over_vouches_for_nobody(files: Files) -> None:
    over = PUBLIC.authority("CA hết hạn", after=NOW - timedelta(hours=1))
    leaf = over.issue()
    section = Domain(anchors=(files(PUBLIC),), intermediates=(files(over),), revocation="off")
    judge = trust(files, TrustDomains.load({"public": section}), domain="public", signer=files(leaf))
    assert refusal(judge, leaf).reason == "expired"
