"""What is signed verifies, here and elsewhere; what was changed afterwards or misses something does not."""

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, InvalidSignature, MappingKeyResolver
from http_message_signatures import algorithms as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from security.content_digest import content_digest
from security.http_signature import RSA_ALGORITHMS, SignedRequest, check_value, signature_of, verify_request
from security.http_signing import sign_request
from security.signature import Rejected, SignaturePolicy
from security.signature_algorithms import PrivateKey, sign
from security.signature_base import HttpRequest, signature_base
from tests.test_request_signatures.callers import CREATED, NOW, REQUEST, Holder, holder, nobody, signed

ALGORITHMS = {
    "rsa-pss-sha512": ("rsa", theirs.RSA_PSS_SHA512),
    "rsa-v1_5-sha256": ("rsa", theirs.RSA_V1_5_SHA256),
    "ecdsa-p256-sha256": ("p256", theirs.ECDSA_P256_SHA256),
    "ecdsa-p384-sha384": ("p384", theirs.ECDSA_P384_SHA384),
}


def verified(request: HttpRequest, by: Holder, now: datetime = NOW) -> SignedRequest:
    return verify_request(request, by.known, now)


def refused(request: HttpRequest, by: Holder, now: datetime = NOW) -> str:
    with pytest.raises(Rejected) as rejected:
        verified(request, by, now)
    return rejected.value.reason


def with_field(request: HttpRequest, name: str, *lines: str) -> HttpRequest:
    fields = {**request.fields, name: list(lines)}
    return replace(request, fields={name: lines for name, lines in fields.items() if lines})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("digest", ["sha-256", "sha-512"])
def test_a_signed_request_holds(holders: dict[str, Holder], algorithm: str, named: bool, digest: Any) -> None:
    by = holders[ALGORITHMS[algorithm][0]]
    # An RSA key signs by PSS unless told otherwise.
    named = named or algorithm == "rsa-v1_5-sha256"
    sent = signed(REQUEST, by, algorithm=algorithm if named else None, digest=digest)
    assert ("alg=" in sent.fields["signature-input"][0]) == named
    found = verified(sent, by)
    assert found.signer == by.signer
    assert found.signer.fingerprint == by.keyid.removeprefix("sha256:")
    assert found.signed_at == NOW
    assert set(found.components) == {
        "@method",
        "@authority",
        "@path",
        "@query",
        "content-type",
        "content-digest",
        "lgsp-purpose",
        "lgsp-dossier",
        "lgsp-officer",
    }


def test_an_rsa_signature_needs_no_algorithm_named(holders: dict[str, Holder]) -> None:
    by = holders["rsa"]
    resolver = MappingKeyResolver(public_keys={}, private_keys={by.keyid: by.key})
    for algorithm in (theirs.RSA_PSS_SHA512, theirs.RSA_V1_5_SHA256):
        sent = signed_by_them(REQUEST, by, resolver, algorithm, include_alg=False)
        assert verified(sent, by).signer == by.signer
        assert refused(replace(sent, method="PUT"), by) == "altered"


def signed_by_them(
    request: HttpRequest, by: Holder, resolver: MappingKeyResolver, algorithm: Any, **options: Any
) -> HttpRequest:
    """The same request as another implementation signs it."""
    headers = {name: ", ".join(lines) for name, lines in request.fields.items()}
    names = ["@method", "@authority", "@path", "@query", *(name for name in headers if name.startswith("lgsp-"))]
    if request.body:
        headers["content-digest"] = content_digest(request.body)
        names += ["content-type", "content-digest"]
    message = SimpleNamespace(
        method=request.method, url=f"{request.scheme}://{request.authority}{request.target}", headers=headers
    )
    HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=resolver).sign(
        message,
        key_id=by.keyid,
        created=NOW,
        expires=NOW + timedelta(minutes=1),
        nonce="n-1",
        covered_component_ids=names,
        body=request.body or None,
        use_existing_digest=bool(request.body),
        **options,
    )
    return replace(request, fields={name.lower(): [value] for name, value in headers.items()})


# Their side judges created and expires by the real clock.
class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        pass


hosts = st.sampled_from(
    ["gateway.example.vn", "a", "x-1.vn:8443", "Gateway.Example.VN", "h:80", "h:443", "127.0.0.1:8080"]
)
steps = st.text("aZ0._~-", max_size=6) | st.just("%2F") | st.just("t%C3%ACm")
queries = st.none() | st.text("aZ0._~=&/?-", max_size=15) | st.just("fields=a%2Cb")
targets = st.builds(
    lambda path, query: "/v1/" + "/".join(path) + ("" if query is None else f"?{query}"),
    st.lists(steps, max_size=3),
    queries,
)
values = st.text('aZ0 .,;:="\\()\t~!', min_size=1, max_size=12).map(str.strip).filter(bool)
requests = st.builds(
    HttpRequest,
    st.sampled_from(["POST", "GET", "PUT"]),
    st.sampled_from(["http", "https"]),
    hosts,
    targets,
    st.fixed_dictionaries(
        {"content-type": st.just(["application/json"])},
        optional={name: values.map(lambda value: [value]) for name in ("lgsp-purpose", "lgsp-dossier", "lgsp-officer")},
    ),
    st.binary(max_size=200),
)


@settings(max_examples=60, deadline=None)
@given(request=requests, algorithm=st.sampled_from(sorted(ALGORITHMS)))
def test_another_implementation_agrees(holders: dict[str, Holder], request: HttpRequest, algorithm: str) -> None:
    kind, chosen = ALGORITHMS[algorithm]
    by = holders[kind]
    resolver = MappingKeyResolver(public_keys={by.keyid: by.key.public_key()}, private_keys={by.keyid: by.key})
    ours = signed(request, by, algorithm=algorithm)
    message = SimpleNamespace(
        method=ours.method,
        url=f"{ours.scheme}://{ours.authority}{ours.target}",
        headers={name: lines[0] for name, lines in ours.fields.items()},
    )
    verifier = _Verifier(signature_algorithm=chosen, key_resolver=resolver)
    (result,) = verifier.verify(message, max_age=None, body=request.body or None)
    assert result.parameters["keyid"] == by.keyid
    assert verified(signed_by_them(request, by, resolver, chosen), by).nonce == "n-1"
    message.headers["content-type"] = "text/plain"
    if request.body:
        with pytest.raises(InvalidSignature):
            verifier.verify(message, max_age=None)


CHANGES: dict[str, Any] = {
    "method": lambda r: replace(r, method="PUT"),
    "method's case": lambda r: replace(r, method="post"),
    "authority": lambda r: replace(r, authority="gateway.example.com"),
    "port": lambda r: replace(r, authority="gateway.example.vn:8443"),
    "default port of the other scheme": lambda r: replace(r, authority="gateway.example.vn:80"),
    "path": lambda r: replace(r, target=r.target.replace("person", "relation")),
    "path's encoding": lambda r: replace(r, target=r.target.replace("person", "pers%6Fn")),
    "path's end": lambda r: replace(r, target=r.target.replace("?", "/?")),
    "query": lambda r: replace(r, target=r.target + ",address"),
    "no query": lambda r: replace(r, target=r.target.partition("?")[0]),
    "content type": lambda r: with_field(r, "content-type", "application/json; charset=utf-8"),
    "no content type": lambda r: with_field(r, "content-type"),
    "digest": lambda r: with_field(r, "content-digest", content_digest(b"x")),
    "no digest": lambda r: with_field(r, "content-digest"),
    "body": lambda r: replace(r, body=r.body.replace(b"1", b"2")),
    "body's end": lambda r: replace(r, body=r.body + b" "),
    "no body": lambda r: replace(r, body=b""),
    "body with its digest": lambda r: with_field(replace(r, body=b"{}"), "content-digest", content_digest(b"{}")),
    "purpose": lambda r: with_field(r, "lgsp-purpose", "statistics"),
    "second purpose": lambda r: with_field(r, "lgsp-purpose", *r.fields["lgsp-purpose"], "statistics"),
    "dossier": lambda r: with_field(r, "lgsp-dossier", "000.00.01.G22-261123-0002"),
    "no dossier": lambda r: with_field(r, "lgsp-dossier"),
    "officer": lambda r: with_field(r, "lgsp-officer", "nguyen.van.b"),
    "no officer": lambda r: with_field(r, "lgsp-officer"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
def test_whatever_was_changed_afterwards_shows(holders: dict[str, Holder], kind: str, change: Any) -> None:
    by = holders[kind]
    sent = signed(REQUEST, by)
    assert refused(change(sent), by) == "altered"
    assert verified(sent, by)


def test_what_is_not_covered_may_change(p256: Holder) -> None:
    sent = signed(REQUEST, p256)
    assert verified(with_field(sent, "x-request-id", "r-2"), p256)
    assert verified(replace(sent, authority="GATEWAY.example.VN:443"), p256)


def test_more_may_be_covered(p256: Holder) -> None:
    sent = signed(REQUEST, p256, also=["x-request-id"])
    assert "x-request-id" in verified(sent, p256).components
    assert refused(with_field(sent, "x-request-id", "r-2"), p256) == "altered"


PARAMETERS = {
    "created": (rf"created={CREATED}", f"created={CREATED - 1}", "altered"),
    "expires": (rf"expires={CREATED + 60}", f"expires={CREATED + 61}", "altered"),
    "nonce": ('nonce="n-1"', 'nonce="n-2"', "altered"),
    "keyid": ("sha256:", "sha256:0", "untrusted"),
    "algorithm": ("alg=", "alg=", None),
    "order of components": ('"@method" "@authority"', '"@authority" "@method"', "altered"),
    "order of parameters": (';nonce="n-1"', "", "malformed"),
    "less covered": (' "lgsp-officer"', "", "not-covered"),
    "no query covered": (' "@query"', "", "not-covered"),
    "more covered": ('"@method"', '"@method" "x-request-id"', "altered"),
    "name's case": ('"@method"', '"@METHOD"', "not-covered"),
    "blanks": ('"@method" "@authority"', '"@method"  "@authority" ', None),
}


@pytest.mark.parametrize(("old", "new", "reason"), PARAMETERS.values(), ids=PARAMETERS.keys())
def test_whatever_of_the_signature_was_changed_shows(p256: Holder, old: str, new: str, reason: str | None) -> None:
    sent = signed(REQUEST, p256, nonce="n-1", algorithm="ecdsa-p256-sha256")
    line = sent.fields["signature-input"][0]
    assert old in line
    changed = with_field(sent, "signature-input", line.replace(old, new))
    if reason is None:
        # Another text of the same list: it is written anew before it is judged.
        assert verified(changed, p256)
    else:
        assert refused(changed, p256) == reason


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_change_of_one_character_is_accepted_as_something_else(p256: Holder, data: st.DataObject) -> None:
    """Whatever is accepted after a change says the same as before."""
    sent = signed(REQUEST, p256, nonce="n-1")
    name = data.draw(st.sampled_from(["signature-input", "signature", "content-digest"]))
    line = sent.fields[name][0]
    at = data.draw(st.integers(0, len(line) - 1))
    letter = data.draw(st.characters(min_codepoint=1, max_codepoint=255))
    changed = with_field(
        sent, name, data.draw(st.sampled_from([line[:at] + letter + line[at + 1 :], line[:at] + letter + line[at:]]))
    )
    before = verified(sent, p256)
    try:
        after = verified(changed, p256)
    except Rejected:
        return
    assert after == before


@settings(max_examples=60, deadline=None)
@given(
    created=st.integers(-400, 200),
    lasting=st.integers(-5, 400),
    skew=st.integers(0, 90),
    max_age=st.integers(1, 300),
)
def test_the_time_in_which_a_request_is_accepted(
    p256: Holder, created: int, lasting: int, skew: int, max_age: int
) -> None:
    policy = SignaturePolicy(skew=timedelta(seconds=skew), max_age=timedelta(seconds=max_age))
    sent = signed(REQUEST, p256, created=CREATED + created, lasting=timedelta(seconds=lasting))
    end = created + min(lasting, max_age) + skew
    if lasting > 0 and created <= skew and end > 0:
        found = verify_request(sent, p256.known, NOW, policy)
        assert found.fresh_until == NOW + timedelta(seconds=end)
    else:
        with pytest.raises(Rejected) as rejected:
            verify_request(sent, p256.known, NOW, policy)
        assert rejected.value.reason == ("malformed" if lasting <= 0 else "stale")


def test_clocks_may_differ_by_the_skew_and_no_more(p256: Holder) -> None:
    sent = signed(REQUEST, p256)
    assert verified(sent, p256, NOW - timedelta(seconds=60))
    assert refused(sent, p256, NOW - timedelta(seconds=61)) == "stale"
    assert verified(sent, p256, NOW + timedelta(seconds=119))
    assert refused(sent, p256, NOW + timedelta(seconds=120)) == "stale"


def test_each_header_must_be_covered_where_it_is_sent(p256: Holder) -> None:
    plain = replace(REQUEST, fields={"content-type": ["application/json"]})
    sent = signed(plain, p256)
    assert verified(sent, p256)
    for name in ("lgsp-purpose", "lgsp-dossier", "lgsp-officer"):
        assert refused(with_field(sent, name, "x"), p256) == "not-covered"
    # A receipt asked for is no part of the question.
    assert verified(with_field(sent, "lgsp-receipt", "full"), p256)


def test_a_request_without_body_needs_no_digest(p256: Holder) -> None:
    bare = HttpRequest("GET", "http", "127.0.0.1:8080", "/v1/me", {})
    sent = signed(bare, p256)
    assert "content-digest" not in sent.fields
    assert verified(sent, p256)
    assert refused(replace(sent, body=b"{}"), p256) == "not-covered"


def test_a_digest_that_is_covered_is_compared_also_without_a_body(p256: Holder) -> None:
    bare = HttpRequest("POST", "http", "127.0.0.1:8080", "/v1/me", {"content-digest": [content_digest(b"")]})
    sent = signed(bare, p256, also=["content-digest"])
    assert verified(sent, p256)
    wrong = replace(bare, fields={"content-digest": [content_digest(b"x")]})
    assert refused(signed(wrong, p256, also=["content-digest"]), p256) == "altered"


def test_the_key_decides_about_the_algorithm(holders: dict[str, Holder]) -> None:
    for algorithm, (kind, _) in ALGORITHMS.items():
        sent = signed(REQUEST, holders[kind], algorithm=algorithm)
        line = sent.fields["signature-input"][0]
        for other in (*ALGORITHMS, "hmac-sha256", "ed25519", "none", "rsa-sha1"):
            if other != algorithm:
                changed = with_field(sent, "signature-input", line.replace(algorithm, other))
                reason = "altered" if ALGORITHMS.get(other, ("",))[0] == kind else "malformed"
                assert refused(changed, holders[kind]) == reason
        with pytest.raises(ValueError, match="does not sign by"):
            sign_request(REQUEST, holders["p256" if kind != "p256" else "rsa"].key, "k", algorithm=algorithm)


def test_an_algorithm_that_is_named_is_the_only_one_tried(holders: dict[str, Holder]) -> None:
    by = holders["rsa"]
    line = 'a=("@method");alg="rsa-pss-sha512"'
    covered = signature_of({"signature-input": [line], "signature": ["a=:AA==:"]}).covered
    base = signature_base(REQUEST, covered)
    other = sign(RSA_ALGORITHMS["rsa-v1_5-sha256"], by.key, base)
    check_value(other, base, by.signer, None)
    with pytest.raises(Rejected, match="altered: "):
        check_value(other, base, by.signer, "rsa-pss-sha512")


def test_somebody_elses_key_proves_nothing(holders: dict[str, Holder]) -> None:
    other = holder(ec.generate_private_key(ec.SECP256R1()), "other")
    sent = signed(REQUEST, other)
    assert refused(sent, holders["p256"]) == "untrusted"
    # With the name of the one that is known.
    assert (
        refused(signed(REQUEST, other._replace(certificate=holders["p256"].certificate)), holders["p256"]) == "altered"
    )


@pytest.mark.parametrize(
    "key", [lambda: rsa.generate_private_key(65537, 1024), lambda: ec.generate_private_key(ec.SECP521R1())]
)
def test_a_weak_or_foreign_key_is_no_signers_key(key: Any) -> None:
    made: PrivateKey = key()
    with pytest.raises(ValueError, match="the certificate holds"):
        holder(made, "weak")


def test_what_is_seen_without_a_key_is_refused_before_one_is_looked_for(p256: Holder) -> None:
    with pytest.raises(Rejected, match="stale: "):
        verify_request(signed(REQUEST, p256), nobody, NOW + timedelta(hours=1))
    less = signed(with_field(REQUEST, "lgsp-officer"), p256)
    with pytest.raises(Rejected, match="not-covered: "):
        verify_request(with_field(less, "lgsp-officer", "nguyen.van.a"), nobody, NOW)
