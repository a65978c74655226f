"""Messages as zeep and node's `soap` sign them, with SHA-256 and a Timestamp: what people will send."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from xmlsec import Transform
from zeep.wsse.signature import BinarySignature, Signature

from security.signature import Rejected, SignaturePolicy
from security.signature_structure import EXC_C14N, WSU, WSU_ID
from security.soap_plain import SOAP
from security.soap_signature import verify_soap
from security.soap_signer import WSSE
from tests.test_signatures.conftest import NOW, private_pem

ROOT = Path(__file__).parents[2]
ANY = SignaturePolicy()
RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


@pytest.fixture(scope="module")
def key(pki):
    return pki.signer("rsa", before=datetime(2020, 1, 1, tzinfo=UTC), after=datetime(2080, 1, 1, tzinfo=UTC))


def pem(key) -> bytes:
    return key.certificate.public_bytes(Encoding.PEM)


@pytest.mark.parametrize("form", [BinarySignature, Signature])
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_zeep(pki, key, form, version, tmp_path):
    for name, content in (("key", private_pem(key)), ("certificate", pem(key))):
        (tmp_path / name).write_bytes(content)
    envelope = etree.fromstring(
        f"""<soap-env:Envelope xmlns:soap-env="{SOAP[version]}"><soap-env:Header><wsse:Security xmlns:wsse="{WSSE}">
        <wsu:Timestamp xmlns:wsu="{WSU}"><wsu:Created>2026-11-22T08:00:00Z</wsu:Created>
        <wsu:Expires>2026-11-22T08:04:00Z</wsu:Expires></wsu:Timestamp></wsse:Security></soap-env:Header>
        <soap-env:Body><ns0:Hoi xmlns:ns0="urn:hoi"><ns0:HoTen>Nguyễn</ns0:HoTen></ns0:Hoi></soap-env:Body>
        </soap-env:Envelope>""".encode()
    )
    methods = {"signature_method": Transform.RSA_SHA256, "digest_method": Transform.SHA256}
    wsse = form(str(tmp_path / "key"), str(tmp_path / "certificate"), **methods)
    signed, _ = wsse.apply(envelope, {})
    document = etree.tostring(signed)
    assert verify_soap(document, ANY, pki.pinned(key), now=NOW).element[0].text == "Nguyễn"
    envelope.find(".//{*}HoTen").text = "Hang"
    with pytest.raises(Rejected, match="altered"):
        verify_soap(etree.tostring(envelope), ANY, pki.pinned(key), now=NOW)


@pytest.fixture(scope="module")
def node_signs(key):
    """What `soap` of node sends with these options."""
    subprocess.run(["make", "-s", ".venv/.node"], cwd=ROOT, check=True, capture_output=True, timeout=120)
    script = """
        const { WSSecurityCert } = require('soap');
        const [key, certificate, options, xml] = JSON.parse(require('fs').readFileSync(0, 'utf-8'));
        process.stdout.write(new WSSecurityCert(key, certificate, '', options).postProcess(xml, 'soap'));
    """

    def sign(version: str, **options: object) -> bytes:
        xml = (
            f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP[version]}"><soap:Header>'
            '</soap:Header><soap:Body><Hoi xmlns="urn:hoi"><HoTen>Nguyễn &amp; con</HoTen></Hoi></soap:Body>'
            "</soap:Envelope>"
        )
        given = json.dumps([private_pem(key).decode(), pem(key).decode(), options, xml])
        return subprocess.run(
            ["node", "-e", script], cwd=ROOT / ".venv" / "node", input=given.encode(), capture_output=True, check=True
        ).stdout

    return sign


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_node(pki, key, node_signs, version):
    options = {
        "signatureAlgorithm": RSA,
        "signatureTransformations": [EXC_C14N],
        "signerOptions": {"idMode": "wssecurity"},
    }
    document = node_signs(version, **options)
    assert verify_soap(document, ANY, pki.pinned(key)).element[0].text == "Nguyễn & con"
    with pytest.raises(Rejected, match="altered"):
        verify_soap(document.replace("Nguyễn".encode(), b"Nguyen"), ANY, pki.pinned(key))
    # What it signs by default: Ids that are not those of WS-Security, and a second transform.
    with pytest.raises(Rejected, match="malformed"):
        verify_soap(node_signs(version), ANY, pki.pinned(key))
    assert WSU_ID.encode() not in document
