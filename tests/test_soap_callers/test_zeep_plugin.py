"""The plug-in for zeep that callers may copy: what it signs is accepted, and it accepts only what is signed for it."""

import base64
import hashlib
import importlib.util
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import zeep
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from zeep.exceptions import Fault, SignatureVerificationFailed
from zeep.wsdl.utils import etree_to_string

from adapters.population import DATABASE
from routes.soap.wsdl import database_wsdl
from security.signature import SignaturePolicy, SoapVersion
from security.signature_key import SigningKey
from security.soap_callers import GATEWAY, SoapCallers
from security.soap_plain import SOAP, plain_message
from security.soap_signing import sign_soap_parts
from security.xml import canonical, parse
from tests.test_request_signatures.callers import make_certificate
from tests.test_signatures.conftest import DS, WSU
from tests.test_soap_callers.callers import HEADERS, Holder, Office, client

FILE = Path(__file__).parents[2] / "docs/clients/zeep_wsse.py"
WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
ANSWER = (
    '<PersonResponse xmlns="urn:lgsp:population:1"><data><fullName>Nguyễn &amp; con</fullName></data></PersonResponse>'
).encode()


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zeep_wsse", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Ministry:
    """A zeep client with the plug-in, and the gateway at the other end of its transport."""

    def __init__(self, plugin: ModuleType, folder: Path, office: Office, version: SoapVersion, **keys: Holder) -> None:
        for name, holder in keys.items():
            (folder / f"{name}.pem").write_text(holder.pem)
            (folder / f"{name}.key").write_text(holder.key_pem)
        self.office, self.version, self.gateway = office, version, keys["gateway"]
        self.signature = plugin.GatewaySignature(folder / "own.key", folder / "own.pem", folder / "gateway.pem")
        wsdl = database_wsdl(DATABASE, "http://gateway.example.vn", (version,))
        self.client = zeep.Client(io.BytesIO(wsdl), wsse=self.signature, transport=Transport(self))
        self.answer: Callable[[str], bytes] = self.answers
        self.seen: list[bytes] = []

    def answers(self, value: str) -> bytes:
        return sign_soap_parts(ANSWER, self.gateway.key, version=self.version, confirms=value).envelope

    def ask(self) -> Any:
        return self.client.service.Person(personalId="001190000001", _soapheaders=HEADERS)


class Transport(zeep.Transport):
    """What posts the envelope goes to the gateway's verifier."""

    def __init__(self, ministry: Ministry) -> None:
        super().__init__()
        self.ministry = ministry

    def post_xml(self, address: str, envelope: Any, headers: Any) -> Any:
        document = etree_to_string(envelope)
        self.ministry.seen.append(document)
        call = self.ministry.office.callers.verify(document, self.ministry.version)
        names = ((etree.QName(one), one.text) for one in call.headers)
        assert {name.localname: text for name, text in names if name.namespace == GATEWAY} == HEADERS
        assert call.body.findtext("{*}personalId") == "001190000001"
        media = {"1.1": "text/xml", "1.2": "application/soap+xml"}[self.ministry.version]
        content = self.ministry.answer(call.value)
        return SimpleNamespace(status_code=200, content=content, headers={"Content-Type": media}, encoding="utf-8")


@pytest.fixture
def gateway(holders: dict[str, Holder]) -> Holder:
    return Holder.of(holders["p256"].key.private, "Trục", since=datetime.now(UTC) - timedelta(hours=1))


@pytest.fixture
async def ministry(
    plugin: ModuleType,
    tmp_path: Path,
    office: Office,
    holders: dict[str, Holder],
    gateway: Holder,
    request: pytest.FixtureRequest,
) -> Ministry:
    version, kind = getattr(request, "param", ("1.1", "p256"))
    own = Holder.of(holders[kind].key.private, "Bộ", since=datetime.now(UTC) - timedelta(hours=1))
    await client(office, "ministry", own)
    office.callers = SoapCallers(office.registry)
    return Ministry(plugin, tmp_path, office, version, own=own, gateway=gateway)


EACH = pytest.mark.parametrize(
    "ministry", [("1.1", "p256"), ("1.2", "p384"), ("1.1", "rsa"), ("1.2", "rsa")], indirect=True, ids="-".join
)


def fault(ministry: Ministry) -> bytes:
    soap = SOAP[ministry.version]
    if ministry.version == "1.1":
        return (
            f'<e:Fault xmlns:e="{soap}"><faultcode>e:Client</faultcode><faultstring>no-record</faultstring></e:Fault>'
        ).encode()
    return (
        f'<e:Fault xmlns:e="{soap}"><e:Code><e:Value>e:Sender</e:Value></e:Code>'
        '<e:Reason><e:Text xml:lang="vi">no-record</e:Text></e:Reason></e:Fault>'
    ).encode()


@EACH
async def test_zeep_signs_what_the_gateway_asks_for(ministry: Ministry) -> None:
    signed_fault = fault(ministry)
    ministry.answer = lambda value: (
        sign_soap_parts(signed_fault, ministry.gateway.key, version=ministry.version, confirms=value).envelope
    )
    with pytest.raises(Fault, match="no-record"):
        ministry.ask()
    # Two equal questions are two messages.
    with pytest.raises(Fault, match="no-record"):
        ministry.ask()
    first, second = (ministry.office.callers.verify(one, ministry.version).signed for one in ministry.seen)
    assert first.nonce != second.nonce
    document = ministry.seen[0]
    assert plain_message(parse(document), len(document), SignaturePolicy()) is not None


@EACH
async def test_an_answer_of_the_gateway_is_accepted(ministry: Ministry) -> None:
    assert ministry.ask().data.fullName == "Nguyễn & con"


def other_request(ministry: Ministry, value: str) -> bytes:
    return ministry.answers("QUJD")


def other_signer(ministry: Ministry, value: str) -> bytes:
    stranger = Holder.of(ministry.gateway.key.private, "Somebody", since=datetime.now(UTC) - timedelta(hours=1))
    return sign_soap_parts(ANSWER, stranger.key, version=ministry.version, confirms=value).envelope


def other_key(ministry: Ministry, value: str) -> bytes:
    gateway = ministry.gateway.key
    key = replace(SigningKey.of(*another_pair()), token=gateway.token)
    return sign_soap_parts(ANSWER, key, version=ministry.version, confirms=value).envelope


def another_pair() -> tuple[Any, Any]:
    private = ec.generate_private_key(ec.SECP256R1())
    return private, make_certificate(private, "Somebody", datetime.now(UTC), datetime.now(UTC) + timedelta(days=1))


def unsigned(ministry: Ministry, value: str) -> bytes:
    return f'<e:Envelope xmlns:e="{SOAP["1.1"]}"><e:Body>{ANSWER.decode()}</e:Body></e:Envelope>'.encode()


def unsigned_beside_a_fault(ministry: Ministry, value: str) -> bytes:
    both = f"{fault(ministry).decode()}{ANSWER.decode()}"
    return f'<e:Envelope xmlns:e="{SOAP["1.1"]}"><e:Body>{both}</e:Body></e:Envelope>'.encode()


def altered(ministry: Ministry, value: str) -> bytes:
    return ministry.answers(value).replace("Nguyễn".encode(), b"Nguyen")


def cut_by_a_comment(ministry: Ministry, value: str) -> bytes:
    return ministry.answers(value).replace("Nguyễn".encode(), "Ngu<?x?>yễn".encode())


def stale(ministry: Ministry, value: str) -> bytes:
    past = datetime.now(UTC) - timedelta(minutes=10)
    return sign_soap_parts(ANSWER, ministry.gateway.key, version="1.1", confirms=value, now=past).envelope


def without_confirmation(ministry: Ministry, value: str) -> bytes:
    return sign_soap_parts(ANSWER, ministry.gateway.key, version="1.1").envelope


def confirmation_put_in(ministry: Ministry, value: str) -> bytes:
    root = etree.fromstring(sign_soap_parts(ANSWER, ministry.gateway.key, version="1.1").envelope)
    etree.SubElement(root[0][0], f"{{{WSSE11}}}SignatureConfirmation", Value=value)
    return etree.tostring(root)


def wrapped(ministry: Ministry, value: str) -> bytes:
    root = etree.fromstring(ministry.answers(value))
    header, body = root
    forged = etree.SubElement(root, body.tag)
    forged.append(etree.fromstring(ANSWER.replace(b"con", b"ba")))
    etree.SubElement(header, "{urn:x}Wrapper").append(body)
    return etree.tostring(root)


def same_id_twice(ministry: Ministry, value: str) -> bytes:
    root = etree.fromstring(ministry.answers(value))
    header, body = root
    etree.SubElement(header, "{urn:x}Wrapper").append(body)
    forged = etree.SubElement(root, body.tag)
    forged.set(f"{{{WSU}}}Id", body.get(f"{{{WSU}}}Id"))
    return etree.tostring(root)


def same_id_elsewhere(ministry: Ministry, value: str) -> bytes:
    root = etree.fromstring(ministry.answers(value))
    etree.SubElement(root[0], "{urn:x}Block").set(f"{{{WSU}}}Id", root[1].get(f"{{{WSU}}}Id"))
    return etree.tostring(root)


def another_method(ministry: Ministry, value: str) -> bytes:
    return ministry.answers(value).replace(b"xmlenc#sha256", b"xmlenc#sha512")


def two_signatures(ministry: Ministry, value: str) -> bytes:
    root = etree.fromstring(ministry.answers(value))
    etree.SubElement(root[0], f"{{{DS}}}Signature")
    return etree.tostring(root)


def with_a_document_type(ministry: Ministry, value: str) -> bytes:
    return b'<!DOCTYPE x [<!ENTITY a "b">]>' + ministry.answers(value)


FORGED = [
    *[other_request, other_signer, other_key, same_id_elsewhere, unsigned, unsigned_beside_a_fault],
    *[altered, cut_by_a_comment, stale, wrapped, without_confirmation, confirmation_put_in],
    *[same_id_twice, another_method, two_signatures, with_a_document_type],
]


@pytest.mark.parametrize("forged", FORGED, ids=lambda one: one.__name__)
async def test_no_other_answer_is_accepted(ministry: Ministry, forged: Callable[[Ministry, str], bytes]) -> None:
    told: list[str] = []
    ministry.answer = lambda value: told.append(value) or forged(ministry, value)
    with pytest.raises((SignatureVerificationFailed, zeep.exceptions.DTDForbidden, zeep.exceptions.EntitiesForbidden)):
        ministry.ask()
    with pytest.raises(SignatureVerificationFailed):
        ministry.signature.verify(etree.fromstring(forged(ministry, told[0])))


async def test_an_unsigned_fault_is_an_error_and_no_answer(ministry: Ministry) -> None:
    envelope = f'<e:Envelope xmlns:e="{SOAP["1.1"]}"><e:Body>{fault(ministry).decode()}</e:Body></e:Envelope>'
    ministry.answer = lambda _: envelope.encode()
    with pytest.raises(Fault, match="no-record"):
        ministry.ask()


def signed_again(root: Any, ministry: Ministry) -> Any:
    """What was changed under a new, genuine signature of the gateway."""
    (info,) = root.iter(f"{{{DS}}}SignedInfo")
    by_id = {one.get(f"{{{WSU}}}Id"): one for one in root.iter(etree.Element)}
    for reference in info.iter(f"{{{DS}}}Reference"):
        digest = hashlib.sha256(canonical(by_id[reference.get("URI")[1:]])).digest()
        reference.find(f"{{{DS}}}DigestValue").text = base64.b64encode(digest).decode()
    value = ministry.gateway.key.sign(canonical(info))
    root.find(f".//{{{DS}}}SignatureValue").text = base64.b64encode(value).decode()
    return root


async def test_before_any_request_no_answer_is_accepted(ministry: Ministry, plugin: ModuleType) -> None:
    root = etree.fromstring(ministry.answers("QUJD"))
    (confirmation,) = root.iter(f"{{{WSSE11}}}SignatureConfirmation")
    plugin._asked.set("QUJD")
    ministry.signature.verify(signed_again(root, ministry))
    del confirmation.attrib["Value"]
    plugin._asked.set(None)
    with pytest.raises(SignatureVerificationFailed, match="another request"):
        ministry.signature.verify(signed_again(root, ministry))


async def test_a_comment_that_cuts_a_text_is_refused(ministry: Ministry, plugin: ModuleType) -> None:
    plugin._asked.set("QUJD")
    cut = ministry.answers("QUJD").replace("Nguyễn".encode(), "Nguyễn<!-- -->".encode())
    with pytest.raises(SignatureVerificationFailed, match="comments"):
        ministry.signature.verify(etree.fromstring(cut))


def test_a_foreign_certificate_is_noticed_at_once(
    plugin: ModuleType, holders: dict[str, Holder], tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(holders["p256"].key_pem)
    (tmp_path / "pem").write_text(holders["rsa"].pem)
    with pytest.raises(ValueError, match="another key"):
        plugin.GatewaySignature(tmp_path / "key", tmp_path / "pem", tmp_path / "pem")
