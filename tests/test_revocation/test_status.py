"""Lists, answers and silence together: how a certificate stands, and when verdicts on it end."""

import sys
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from security.signature import Rejected
from security.trust import AnchoredTrust
from security.trust_domain import TrustDomain
from security.trust_signer import ExpectedSigner
from security.trust_status import Source, StatusPolicy, StatusRegister, Subject, Unsettled
from tests.test_revocation.issuing import DAY, HOUR, NOW, REVOKED, UNKNOWN, Holder, der, named

ROOT = Holder.root()
OCSP = "http://ocsp.example/"
LIST = "http://crl.example/list.crl"
LEAF = ROOT.issue(ocsp_url=OCSP, crl_urls=[LIST, "ldap://crl.example/x", "https://b.example/x"])
SUBJECT = Subject(LEAF.certificate, ROOT.certificate)
PLAIN = ROOT.issue()


def register(*holders: Holder, **policy) -> StatusRegister:
    return StatusRegister(
        [holder.certificate for holder in holders or (ROOT,)], StatusPolicy(**policy), clock=lambda: NOW
    )


def standing(known: StatusRegister, holder: Holder = LEAF, at=NOW):
    return known.standing(holder.certificate, ROOT.certificate, at)


def reason(known: StatusRegister, holder: Holder = LEAF, at=NOW) -> str:
    with pytest.raises(Rejected) as refused:
        standing(known, holder, at)
    assert not isinstance(refused.value, Unsettled)
    return refused.value.reason


def unsettled(known: StatusRegister, holder: Holder = LEAF, at=NOW) -> bool:
    with pytest.raises(Unsettled) as refused:
        standing(known, holder, at)
    assert refused.value.reason == "untrusted"
    return True


def test_one_current_word_suffices_and_a_bad_one_decides() -> None:
    known = register()
    assert unsettled(known)
    known.take_list(ROOT.crl(until=NOW + HOUR))
    assert standing(known) == ("good", NOW + HOUR)
    known.take_answer(ROOT.answer(LEAF, until=NOW + 2 * HOUR), SUBJECT)
    assert standing(known) == ("good", NOW + 2 * HOUR)
    # The list is over, the answer is not.
    assert standing(known, at=NOW + HOUR + timedelta(seconds=1)) == ("good", NOW + 2 * HOUR)
    assert unsettled(known, at=NOW + 3 * HOUR)
    known.take_list(ROOT.crl(LEAF, since=NOW - timedelta(minutes=1)))
    assert reason(known) == "revoked"
    assert standing(known, at=NOW - 3 * HOUR).certainty == "good"


def test_a_revoked_one_stays_so_when_its_list_or_answer_is_over() -> None:
    known = register(when_silent="accept")
    known.take_list(ROOT.crl(LEAF, until=NOW + HOUR))
    assert reason(known, at=NOW + 40 * DAY) == "revoked"
    known = register(when_silent="accept")
    known.take_answer(ROOT.answer(LEAF, REVOKED), SUBJECT)
    known.silent(SUBJECT, NOW + 50 * DAY)
    assert reason(known, at=NOW + 40 * DAY) == "revoked"


def test_a_hold_ends_with_its_answer() -> None:
    known = register()
    known.take_answer(ROOT.answer(LEAF, REVOKED, reason=x509.ReasonFlags.certificate_hold), SUBJECT)
    assert reason(known) == "revoked"
    assert unsettled(known, at=NOW + 2 * HOUR)
    known.take_answer(ROOT.answer(LEAF, since=NOW - timedelta(minutes=1)), SUBJECT)
    assert standing(known).certainty == "good"


def test_an_older_word_never_replaces_a_newer_one() -> None:
    known = register()
    known.take_answer(ROOT.answer(LEAF, REVOKED, since=NOW - HOUR), SUBJECT)
    known.take_answer(ROOT.answer(LEAF, since=NOW - 2 * HOUR), SUBJECT)
    assert reason(known) == "revoked"
    known = register()
    known.take_list(ROOT.crl(LEAF, since=NOW - HOUR))
    known.take_list(ROOT.crl(since=NOW - 2 * HOUR))
    assert reason(known) == "revoked"


def test_a_certificate_that_the_responder_does_not_know_is_not_believed() -> None:
    known = register(when_silent="accept")
    known.take_list(ROOT.crl())
    known.take_answer(ROOT.answer(LEAF, UNKNOWN), SUBJECT)
    assert reason(known) == "untrusted"


def test_silence_is_refused_or_accepted_as_the_policy_says() -> None:
    for policy, until in (("refuse", None), ("accept", NOW + HOUR)):
        known = register(when_silent=policy)
        assert unsettled(known)
        known.silent(SUBJECT, NOW + HOUR)
        if until is None:
            assert reason(known) == "untrusted"
        else:
            assert standing(known) == ("indeterminate", until)
        # After that it is asked again.
        assert unsettled(known, at=NOW + 2 * HOUR)
    assert reason(register(), PLAIN) == "untrusted"
    assert standing(register(when_silent="accept"), PLAIN) == ("indeterminate", PLAIN.certificate.not_valid_after_utc)


def test_an_expired_list_is_none() -> None:
    known = register(from_certificates=False)
    known.take_list(ROOT.crl(since=NOW - 2 * DAY, until=NOW - DAY))
    assert reason(known) == "untrusted"
    known = register(from_certificates=False)
    known.take_list(ROOT.crl(since=NOW + HOUR, until=NOW + DAY))
    assert reason(known) == "untrusted"


def test_who_is_asked() -> None:
    def asked(**policy) -> list[Source]:
        return list(register(**policy).sources(SUBJECT))

    assert asked() == [("ocsp", OCSP), ("crl", LIST), ("crl", "https://b.example/x")]
    assert asked(from_certificates=False) == []
    assert asked(ocsp_url="http://a.example") == [
        ("ocsp", "http://a.example"), ("crl", LIST), ("crl", "https://b.example/x")
    ]  # fmt: skip
    assert asked(list_urls=("http://a.example/l",)) == [("ocsp", OCSP), ("crl", "http://a.example/l")]
    many = ROOT.issue(crl_urls=[f"http://crl{number}.example/" for number in range(40)])
    assert len(list(register().sources(Subject(many.certificate, ROOT.certificate)))) == 4


def test_a_list_speaks_for_the_key_that_signed_it_only() -> None:
    """Two authorities of one name, as after a change of keys: the list of the one says nothing about the other's."""
    twin = Holder.root()
    known = register(ROOT, twin, from_certificates=False)
    known.take_list(twin.crl())
    assert reason(known, PLAIN) == "untrusted"
    known.take_list(ROOT.crl(PLAIN))
    known.take_list(twin.crl(since=NOW - timedelta(minutes=1)))
    assert reason(known, PLAIN) == "revoked"


@pytest.mark.parametrize(
    "wrong",
    [
        {"more": [(x509.DeltaCRLIndicator(1), True)]},
        {"more": [(x509.IssuingDistributionPoint(None, None, False, False, None, True, False), True)]},
        {"more": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0"), True)]},
    ],
)
def test_partial_and_strange_lists_are_not_taken(wrong) -> None:
    with pytest.raises(ValueError, match="partial"):
        register().take_list(ROOT.crl(**wrong))


def test_lists_of_others_are_not_taken() -> None:
    for other in (Holder.root("CA lạ"), Holder.root(), Holder(ROOT.issue("CA gốc").certificate, ROOT.key)):
        if other.key is not ROOT.key:
            with pytest.raises(ValueError, match="not signed"):
                register().take_list(other.crl())
    unable = Holder.root("CA không ký", said=None)
    without = Holder.root("CA", said=ROOT.issue().certificate.extensions.get_extension_for_class(x509.KeyUsage).value)
    assert register(unable).take_list(unable.crl()) is None
    with pytest.raises(ValueError, match="not signed"):
        register(without).take_list(without.crl())


def test_an_entry_that_is_not_understood_is_not_believed() -> None:
    known = register(from_certificates=False)
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")
    known.take_list(ROOT.crl(PLAIN, entry=[(strange, True)]))
    assert reason(known, PLAIN) == "untrusted"
    known = register(from_certificates=False)
    known.take_list(ROOT.crl(PLAIN, entry=[(x509.CRLReason(x509.ReasonFlags.key_compromise), False)]))
    assert reason(known, PLAIN) == "revoked"


def trust_in(known: StatusRegister) -> AnchoredTrust:
    domain = TrustDomain.of("public", [ROOT.certificate], [], known)
    return AnchoredTrust.within(domain, ExpectedSigner((named("CSDL thử"),)))


def test_a_kept_verdict_ends_with_what_it_rests_on_and_at_once_with_news() -> None:
    known = register()
    trust = trust_in(known)
    known.take_list(ROOT.crl(until=NOW + HOUR))
    first = trust.accept(der(LEAF.certificate), NOW)
    assert first.assurance == ("public", "good")
    assert first.not_after == NOW + HOUR
    assert trust.accept(der(LEAF.certificate), NOW + HOUR) is first
    with pytest.raises(Unsettled):
        trust.accept(der(LEAF.certificate), NOW + HOUR + timedelta(seconds=1))
    assert trust.accept(der(LEAF.certificate), NOW) is first
    # A newer list of the same issuer: judged anew, and still good.
    known.take_list(ROOT.crl(PLAIN, since=NOW - timedelta(minutes=2)))
    second = trust.accept(der(LEAF.certificate), NOW)
    assert second is not first
    # The same list once more changes nothing.
    known.take_list(ROOT.crl(PLAIN, since=NOW - timedelta(minutes=2)))
    assert trust.accept(der(LEAF.certificate), NOW) is second
    known.take_list(ROOT.crl(LEAF, since=NOW - timedelta(minutes=1)))
    with pytest.raises(Rejected) as refused:
        trust.accept(der(LEAF.certificate), NOW)
    assert refused.value.reason == "revoked"


def test_a_kept_verdict_costs_as_much_with_revocation_as_without() -> None:
    known = register()
    known.take_list(ROOT.crl())
    known.take_answer(ROOT.answer(LEAF), SUBJECT)
    without = TrustDomain.of("public", [ROOT.certificate], [], None)
    token = der(LEAF.certificate)
    counts = []
    for trust in (trust_in(known), AnchoredTrust.within(without, ExpectedSigner((named("CSDL thử"),)))):
        trust.accept(token, NOW)
        steps: list[str] = []
        sys.setprofile(lambda _frame, event, _what, steps=steps: steps.append(event))
        try:
            trust.accept(token, NOW)
        finally:
            sys.setprofile(None)
        counts.append(steps)
    assert counts[0] == counts[1]
    # accept, the look into the memory, and the end of the profile itself.
    assert counts[0].count("call") == 2


def test_a_verdict_that_was_under_way_when_news_came_is_not_kept() -> None:
    known = register()
    trust = trust_in(known)
    known.take_list(ROOT.crl())
    judge = trust._judge

    def slow(*arguments):
        signer = judge(*arguments)
        known.take_list(ROOT.crl(LEAF, since=NOW - timedelta(minutes=1)))
        return signer

    trust._judge = slow  # type: ignore[method-assign]
    trust.accept(der(LEAF.certificate), NOW)
    trust._judge = judge  # type: ignore[method-assign]
    with pytest.raises(Rejected) as refused:
        trust.accept(der(LEAF.certificate), NOW)
    assert refused.value.reason == "revoked"


def test_every_link_but_the_anchor_is_asked_about() -> None:
    middle = ROOT.authority(ocsp_url=OCSP)
    leaf = middle.issue(ocsp_url=OCSP)
    known = register(ROOT, middle)
    domain = TrustDomain.of("public", [ROOT.certificate], [middle.certificate], known)
    trust = AnchoredTrust.within(domain, ExpectedSigner((named("CSDL thử"),)))
    with pytest.raises(Unsettled) as refused:
        trust.accept(der(leaf.certificate), NOW)
    assert refused.value.subjects == (
        (leaf.certificate, middle.certificate), (middle.certificate, ROOT.certificate)
    )  # fmt: skip
    known.take_answer(middle.answer(leaf), Subject(leaf.certificate, middle.certificate))
    known.take_answer(ROOT.answer(middle, REVOKED), Subject(middle.certificate, ROOT.certificate))
    with pytest.raises(Rejected) as revoked:
        trust.accept(der(leaf.certificate), NOW)
    assert revoked.value.reason == "revoked"


def test_where_two_paths_lead_up_the_one_that_holds_counts() -> None:
    """An authority that was certified anew: its old certificate is revoked or over, its new one is good."""
    old = ROOT.authority()
    new = Holder(ROOT.issue("CA cấp", key=old.key, ca=True).certificate, old.key)
    gone = Holder(ROOT.issue("CA cấp", key=old.key, ca=True, after=NOW - DAY).certificate, old.key)
    leaf = old.issue()
    for order in ([old, new, gone], [gone, new, old], [new]):
        known = register(ROOT, *order, from_certificates=False)
        known.take_list(ROOT.crl(old))
        known.take_list(old.crl())
        domain = TrustDomain.of("public", [ROOT.certificate], [one.certificate for one in order], known)
        trust = AnchoredTrust.within(domain, ExpectedSigner((named("CSDL thử"),)))
        assert trust.accept(der(leaf.certificate), NOW).assurance.revocation == "good"
    known = register(ROOT, old, gone, from_certificates=False)
    known.take_list(ROOT.crl(old))
    known.take_list(old.crl())
    domain = TrustDomain.of("public", [ROOT.certificate], [old.certificate, gone.certificate], known)
    with pytest.raises(Rejected) as refused:
        AnchoredTrust.within(domain, ExpectedSigner((named("CSDL thử"),))).accept(der(leaf.certificate), NOW)
    assert refused.value.reason == "revoked"


def test_a_path_that_is_known_to_be_good_counts_more_than_one_that_is_not_known() -> None:
    old = ROOT.authority()
    new = Holder(ROOT.issue("CA cấp", key=old.key, ca=True).certificate, old.key)
    leaf = old.issue()
    for order in ([old, new], [new, old]):
        known = register(ROOT, *order, from_certificates=False, when_silent="accept")
        known.take_list(old.crl())
        domain = TrustDomain.of("public", [ROOT.certificate], [one.certificate for one in order], known)
        trust = AnchoredTrust.within(domain, ExpectedSigner((named("CSDL thử"),)))
        assert trust.accept(der(leaf.certificate), NOW).assurance.revocation == "indeterminate"
        # The issuer says good of one of its two certificates, and nothing of the other.
        known.take_answer(ROOT.answer(new), Subject(new.certificate, ROOT.certificate))
        assert trust.accept(der(leaf.certificate), NOW).assurance.revocation == "good"


def test_an_answer_about_another_certificate_is_not_taken_for_this_one() -> None:
    known = register()
    with pytest.raises(ValueError, match="another certificate"):
        known.take_answer(ROOT.answer(PLAIN), SUBJECT)
    with pytest.raises(ValueError, match="none of our"):
        known.take_answer(Holder.root("CA lạ").answer(LEAF))
    # One that was kept on disk is about whoever it is about.
    known.take_answer(ROOT.answer(LEAF))
    assert standing(known).certainty == "good"


def test_a_delegate_that_may_be_revoked_is_looked_up_on_the_list() -> None:
    delegate = ROOT.responder(nocheck=False)
    answer = ROOT.answer(LEAF, responder=delegate)
    known = register()
    with pytest.raises(ValueError, match="may be revoked"):
        known.take_answer(answer, SUBJECT)
    known.take_list(ROOT.crl(delegate, algorithm=hashes.SHA384()))
    with pytest.raises(ValueError, match="may be revoked"):
        known.take_answer(answer, SUBJECT)
    known.take_list(ROOT.crl(since=NOW - timedelta(minutes=1)))
    assert known.take_answer(answer, SUBJECT).status == "good"


def test_only_so_many_certificates_are_kept_known() -> None:
    known = register(from_certificates=False, when_silent="accept")
    key = PLAIN.key
    for _ in range(260):
        standing(known, Holder(ROOT.issue(key=key).certificate, key))
    assert len(known.asked_about()) == 256
