"""Other people's signatures, canonical forms and hostile documents: what comes of each is what the table says.

Nearly all are outside the profile, and none is accepted; the layers below it are right about all that they look at.
"""

import re
import warnings
from contextlib import nullcontext

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from security.signature_structure import SIGNATURE
from security.xml import CONTRACT, parse
from tests.test_vectors.fetch import ROOT, Vector, vectors
from tests.test_vectors.keys import Keyring
from tests.test_vectors.layers import signing_key, verdict_of
from tests.test_vectors.outcomes import keyring, outcome, summary

TABLE = vectors()
SIGNED = [vector for vector in TABLE if vector.kind == "signed"]
WHOLE = [one for one in SIGNED if one.signed_info == "fits" and re.fullmatch(r"\d+ fits", one.digests)]
AS_FAR_AS_THE_TIME = [one for one in SIGNED if one.verdict.startswith("malformed: issuedAt")]

FORGED = {
    "invalid wss resp - changed content.xml",
    "invalid_enveloped_transform.xml",
    "signature-rsa-enveloped-bad-digest-val.xml",
    "signature-rsa-enveloped-bad-sig.xml",
    "dss-signed-altered-signedPropsRemoved.xml",
    "nonconformant-dss-signed-altered-refRemoved.xml",
    # Laid out anew after it was signed; xmlsec refuses it as well.
    "valid-xades-policyId-newlines.xml",
}
KEY_IS_ENCRYPTED = "merlin-xmlenc-five/encsig-"
CUT_WITHIN_A_BYTE = "dtd-hmac-91.xml"


def named(vector: Vector) -> str:
    return vector.path.rpartition("/")[2]


@pytest.fixture(scope="session")
def keys() -> Keyring:
    return keyring()


def test_all_vectors_are_here() -> None:
    missing = [vector.path for vector in TABLE if not vector.present()]
    assert missing == [], "run `make vectors`: these tests are never skipped"


@pytest.mark.parametrize("vector", [one for one in TABLE if one.kind not in ("key", "octets")], ids=named)
def test_what_comes_of_it_is_what_the_table_says(vector: Vector, keys: Keyring) -> None:
    assert outcome(vector, keys) == vector


def test_none_is_accepted() -> None:
    assert {one.verdict.partition(":")[0] for one in SIGNED} == {"malformed", "not-covered", "untrusted"}


def test_nothing_differs_but_what_was_forged() -> None:
    assert {named(one) for one in SIGNED if "differs" in one.digests} <= FORGED
    unfit = {named(one) for one in SIGNED if one.signed_info == "no key fits" and KEY_IS_ENCRYPTED not in one.path}
    assert unfit <= FORGED | {CUT_WITHIN_A_BYTE}
    forged = [one for one in SIGNED if named(one) in FORGED]
    assert {named(one) for one in forged} == FORGED
    assert all("differs" in one.digests or one.signed_info == "no key fits" for one in forged)


def known_to_xmlsec(key: object) -> xmlsec.Key:
    if isinstance(key, bytes):
        return xmlsec.Key.from_binary_data(xmlsec.constants.KeyDataHmac, key)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)


@pytest.mark.parametrize("vector", WHOLE, ids=named)
def test_where_every_layer_fits_xmlsec_agrees(vector: Vector, keys: Keyring) -> None:
    document = vector.file.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        key = signing_key(next(parse(document, CONTRACT).iter(SIGNATURE)), keys)
    root = etree.fromstring(document)
    for element in root.iter(etree.Element):
        names = {etree.QName(name).localname for name in element.attrib} & {"Id", "ID", "id"}
        xmlsec.tree.add_ids(element, sorted(names))
    context = xmlsec.SignatureContext()
    context.key = known_to_xmlsec(key)
    # xmlsec wants what a manifest lists elsewhere too, which is not part of the signature (5.1), and longer HMACs.
    elsewhere = [one for one in root.iterfind(".//{*}Manifest/{*}Reference") if not one.get("URI").startswith("#")]
    beyond = elsewhere or root.findtext(".//{*}HMACOutputLength") == "40"
    with pytest.raises(xmlsec.Error) if beyond else nullcontext():
        context.verify(next(root.iter(SIGNATURE)))


@pytest.mark.parametrize("vector", AS_FAR_AS_THE_TIME, ids=named)
def test_what_lacks_only_the_time_is_refused_earlier_when_it_is_changed(vector: Vector, keys: Keyring) -> None:
    """Whoever issues these documents says no `issuedAt`; all else is read, checked and digested by the verifier."""
    document = vector.file.read_bytes()
    root = re.search(rb"<[A-Za-z][^\s/>]*", document)
    assert root is not None
    changed = document[: root.end()] + b' changed="1"' + document[root.end() :]
    assert verdict_of(changed, keys).startswith("altered: a signed part differs")
    value = re.search(rb"SignatureValue[^>]*>\s*(\S)", document)
    assert value is not None
    other = b"B" if value[1] != b"B" else b"C"
    forged = document[: value.start(1)] + other + document[value.end(1) :]
    assert verdict_of(forged, keys).startswith("altered: the signature value")


def test_there_is_enough_to_prove_something() -> None:
    assert len(SIGNED) > 200
    assert len(WHOLE) > 100
    assert len(AS_FAR_AS_THE_TIME) > 5


def test_the_page_says_what_the_table_says() -> None:
    page = (ROOT / "docs" / "vectors.md").read_text(encoding="utf-8")
    for table in summary():
        assert table in page, "docs/vectors.md is behind: `python -m tests.test_vectors.outcomes` prints its tables"
