"""What we sign verifies here, in xmlsec and in signxml; what comes out is what was signed."""

from datetime import timedelta

import pytest
from lxml import etree

from security.signature import RecentSignatures, Rejected, SignaturePolicy
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap, sign_soap_parts, text_header

PAYLOAD = '<q:Hoi xmlns:q="urn:hoi"><q:SoDinhDanh>001090123456</q:SoDinhDanh><q:HoTen>Nguyễn Thị Hằng</q:HoTen></q:Hoi>'.encode()
RELATES = "{http://www.w3.org/2005/08/addressing}RelatesTo"
WSA = "http://www.w3.org/2005/08/addressing"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_every_key_kind_and_version_verifies_everywhere(key, pki, now, version, xmlsec_accepts, signxml_accepts):
    signed = sign_soap_parts(PAYLOAD, key, version=version, now=now, headers=[text_header(WSA, "RelatesTo", "a & <b>")])
    verified = verify_soap(signed.envelope, SignaturePolicy(), pki.pinned(key), now=now, relates_to="a & <b>")
    assert etree.tostring(verified.element, method="c14n", exclusive=True) == PAYLOAD
    assert [header.tag for header in verified.headers] == [RELATES]
    assert verified.signed_at == now
    assert verified.signature_value == signed.signature_value
    xmlsec_accepts(signed.envelope, key)
    signxml_accepts(signed.envelope, key)
