"""The published examples of RFC 9421 and RFC 9530 give what the standards say."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from security.content_digest import check_content_digest, content_digest
from security.http_signature import RequestSigner, check_value, checks_of, signature_of
from security.signature import Rejected
from security.signature_base import HttpRequest, signature_base
from tests.test_request_signatures.published import BODY, P256, REQUEST, RESPONSE_BASE, RESPONSE_SIGNATURE, VECTORS


def signer(pem: str) -> RequestSigner:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
    return RequestSigner("CN=RFC 9421", "", checks_of(key))


def request(fields: dict[str, list[str]], authority: str = "example.com") -> HttpRequest:
    return HttpRequest("POST", "https", authority, "/foo?param=Value&Pet=dog", fields, BODY)


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("named", [False, True])
def test_a_published_signature_holds_and_the_next_bit_does_not(name: str, named: bool) -> None:
    vector = VECTORS[name]
    sent = signature_of({"signature-input": [vector.input], "signature": [vector.signature]})
    base = signature_base(request(vector.fields, vector.authority), sent.covered)
    if vector.base is not None:
        assert base.decode() == vector.base
    alg = vector.algorithm if named else None
    check_value(sent.value, base, signer(vector.key), alg)
    for wrong in (bytes([sent.value[0] ^ 1]) + sent.value[1:], sent.value[:-1] + bytes([sent.value[-1] ^ 128])):
        with pytest.raises(Rejected, match="altered: "):
            check_value(wrong, base, signer(vector.key), alg)
    with pytest.raises(Rejected, match="altered: "):
        check_value(sent.value, base + b" ", signer(vector.key), alg)


def test_the_published_response_signature_holds() -> None:
    check_value(base64.b64decode(RESPONSE_SIGNATURE), RESPONSE_BASE.encode(), signer(P256), None)


def test_what_a_published_message_survives_and_what_not() -> None:
    """Appendix B.4: lines of one header may be joined, their order counts."""
    covered = signature_of(
        {"signature-input": ['transform=("@method" "@path" "@authority" "accept")'], "signature": ["transform=:AA==:"]}
    ).covered
    lines = {"accept": ["application/json", "*/*"]}
    bases = [
        signature_base(HttpRequest("GET", "https", "example.org", target, fields), covered)
        for target, fields in (
            ("/demo?name1=Value1&Name2=value2", lines),
            ("/demo?name1=Value1&Name2=value2&param=added", lines | {"accept-language": ["en-US,en;q=0.5"]}),
            ("/demo?name1=Value1&Name2=value2", {"accept": ["application/json, */*"]}),
        )
    ]
    assert len(set(bases)) == 1
    swapped = HttpRequest("GET", "https", "example.org", "/demo", {"accept": ["*/*", "application/json"]})
    assert signature_base(swapped, covered) not in bases


@pytest.mark.parametrize(
    ("component", "fields", "value"),
    [
        # Section 2.1
        ("host", {"host": ["www.example.com"]}, "www.example.com"),
        ("date", {"date": ["Tue, 20 Apr 2021 02:07:56 GMT"]}, "Tue, 20 Apr 2021 02:07:56 GMT"),
        (
            "x-ows-header",
            {"x-ows-header": ["   Leading and trailing whitespace.   "]},
            "Leading and trailing whitespace.",
        ),
        ("cache-control", {"cache-control": ["max-age=60", "   must-revalidate"]}, "max-age=60, must-revalidate"),
        ("example-dict", {"example-dict": ["a=1,    b=2;x=1;y=2,   c=(a   b   c)"]}, None),
        ("x-empty-header", {"x-empty-header": [""]}, ""),
    ],
)
def test_header_values_are_those_of_the_standard(
    component: str, fields: dict[str, list[str]], value: str | None
) -> None:
    found = HttpRequest("GET", "https", "www.example.com", "/", fields).covered(component)
    assert found == (fields[component][0] if value is None else value)


@pytest.mark.parametrize(
    ("scheme", "authority", "target", "values"),
    [
        ("https", "www.example.com", "/path?param=value", ("www.example.com", "/path", "?param=value")),
        ("https", "WWW.Example.COM:443", "/Path?", ("www.example.com", "/Path", "?")),
        ("http", "www.example.com:80", "/", ("www.example.com", "/", "?")),
        ("https", "www.example.com:0443", "/", ("www.example.com", "/", "?")),
        ("http", "www.example.com:", "/", ("www.example.com", "/", "?")),
        ("https", "www.example.com:80", "/", ("www.example.com:80", "/", "?")),
        ("http", "[::1]:8080", "/a%2Fb", ("[::1]:8080", "/a%2Fb", "?")),
        ("https", "x", "/p?param=value&foo=bar&baz=bat%2Dman", ("x", "/p", "?param=value&foo=bar&baz=bat%2Dman")),
        ("https", "x", "/p?queryString", ("x", "/p", "?queryString")),
        ("https", "x", "/p?a=b?c", ("x", "/p", "?a=b?c")),
    ],
)
def test_derived_components_are_those_of_the_standard(
    scheme: str, authority: str, target: str, values: tuple[str, str, str]
) -> None:
    asked = HttpRequest("POST", scheme, authority, target, {})
    assert (asked.covered("@authority"), asked.covered("@path"), asked.covered("@query")) == values
    assert asked.covered("@method") == "POST"


def test_the_digests_of_the_standard() -> None:
    body = b'{"hello": "world"}\n'
    sha256 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    sha512 = "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:"
    assert content_digest(body) == sha256
    assert content_digest(body, "sha-512") == sha512
    for lines in ([sha256], [sha512], [f"{sha256}, {sha512}"], [sha512, sha256], [f"md5=:AAAA:,\t{sha256}  "]):
        check_content_digest(lines, body)
        with pytest.raises(Rejected, match="altered: "):
            check_content_digest(lines, body[:-1])
    # One that fits does not excuse one that does not.
    with pytest.raises(Rejected, match="altered: "):
        check_content_digest([sha256, content_digest(b"", "sha-512")], body)
    check_content_digest(REQUEST["content-digest"], BODY)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "md5=:AAAA:",
        "unixsum=30637",
        "sha-256=RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=",
        "sha-256",
        "sha-256=1",
        'sha-256="RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg="',
        "sha-256=(:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:)",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:;a",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDh=:",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg:",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:, sha-256=:AAAA:",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:,",
        "SHA-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
        "sha-256=:" + "A" * 2000 + ":",
    ],
)
def test_what_is_no_digest_is_refused(value: str) -> None:
    with pytest.raises(Rejected, match="malformed: "):
        check_content_digest([value], b'{"hello": "world"}\n')
