"""Signature wrapping: the signed parts are genuine, but what a careless reader would take is not."""

import copy
from collections.abc import Callable

import pytest
from lxml import etree

from security.signature import Rejected, SignaturePolicy
from security.soap_signature import SOAP, verify_soap
from security.soap_signing import sign_soap_parts, text_header

WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
WSA = "http://www.w3.org/2005/08/addressing"
ID = f"{{{WSU}}}Id"
PAYLOAD = b'<q:Answer xmlns:q="urn:q"><q:Name>genuine</q:Name></q:Answer>'


class Tree:
    """A signed envelope taken apart."""

    def __init__(self, envelope: bytes) -> None:
        self.root = etree.fromstring(envelope)
        self.soap = etree.QName(self.root).namespace
        self.header, self.body = self.root
        self.security = self.header[0]
        self.block = self.header[1]
        self.timestamp = self.security.find(f"{{{WSU}}}Timestamp")
        self.token = self.security.find(f"{{{WSSE}}}BinarySecurityToken")
        self.signature = self.security.find(f"{{{DS}}}Signature")

    def evil(self, *, keep_id: bool = False, other_id: bool = False):
        """A Body like the signed one, with other content."""
        body = copy.deepcopy(self.body)
        body[0][0].text = "forged"
        if not keep_id:
            del body.attrib[ID]
        if other_id:
            body.set(ID, "another")
        return body

    def wrapper(self, *content):
        wrapper = etree.Element("{urn:wrapper}Wrapper")
        wrapper.extend(content)
        return wrapper


def replaced(tree: Tree, place: Callable[[Tree, etree._Element], None], **options: bool) -> None:
    """Put a forged Body in the signed one's stead and the signed one elsewhere."""
    genuine, evil = tree.body, tree.evil(**options)
    tree.root.replace(genuine, evil)
    place(tree, genuine)


def into_header(tree, genuine):
    tree.header.append(tree.wrapper(genuine))


def before_security(tree, genuine):
    tree.header.insert(0, tree.wrapper(genuine))


def into_security(tree, genuine):
    tree.security.append(tree.wrapper(genuine))


def bare_in_header(tree, genuine):
    tree.header.append(genuine)


def bare_in_security(tree, genuine):
    tree.security.append(genuine)


def into_object(tree, genuine):
    etree.SubElement(tree.signature, f"{{{DS}}}Object").append(genuine)


def into_key_info(tree, genuine):
    tree.signature[2].append(genuine)


def into_signature(tree, genuine):
    tree.signature.insert(0, genuine)


def into_evil_body(tree, genuine):
    tree.root[1].append(genuine)


def into_evil_content(tree, genuine):
    tree.root[1][0].append(genuine)


def after_body(tree, genuine):
    tree.root.append(genuine)


def before_header(tree, genuine):
    tree.root.insert(0, genuine)


def into_timestamp(tree, genuine):
    tree.timestamp.append(genuine)


def into_second_security(tree, genuine):
    second = etree.SubElement(tree.header, f"{{{WSSE}}}Security")
    second.set(f"{{{tree.soap}}}actor", "urn:someone-else")
    second.append(genuine)


def into_nested_envelope(tree, genuine):
    nested = etree.Element(f"{{{tree.soap}}}Envelope")
    nested.append(genuine)
    tree.header.append(tree.wrapper(nested))


PLACES = [
    into_header, before_security, into_security, bare_in_header, bare_in_security, into_object, into_key_info,
    into_signature, into_evil_body, into_evil_content, after_body, before_header, into_timestamp, into_second_security,
    into_nested_envelope,
]  # fmt: skip
OPTIONS = {"without-id": {}, "same-id": {"keep_id": True}, "other-id": {"keep_id": True, "other_id": True}}


def envelope_in_header(tree):
    genuine = copy.deepcopy(tree.root)
    tree.root.replace(tree.body, tree.evil())
    tree.header.append(tree.wrapper(genuine))


def envelope_in_body(tree):
    outer = etree.Element(f"{{{tree.soap}}}Envelope")
    etree.SubElement(outer, f"{{{tree.soap}}}Header")
    body = etree.SubElement(outer, f"{{{tree.soap}}}Body")
    genuine, tree.root = tree.root, outer
    body.append(genuine)


def evil_envelope_around_signed_security(tree):
    genuine = tree.root
    outer = etree.Element(f"{{{tree.soap}}}Envelope")
    header = etree.SubElement(outer, f"{{{tree.soap}}}Header")
    header.append(copy.deepcopy(tree.security))
    outer.append(tree.evil())
    header.append(tree.wrapper(genuine))
    tree.root = outer


def second_timestamp(tree):
    stale = copy.deepcopy(tree.timestamp)
    del stale.attrib[ID]
    tree.security.insert(0, stale)


def wrapped_timestamp(tree):
    fresh = copy.deepcopy(tree.timestamp)
    del fresh.attrib[ID]
    tree.security.replace(tree.timestamp, fresh)
    tree.header.append(tree.wrapper(tree.timestamp))


def timestamp_in_header(tree):
    tree.header.append(tree.timestamp)


def wrapped_block(tree):
    forged = copy.deepcopy(tree.block)
    del forged.attrib[ID]
    forged.text = "forged"
    tree.header.replace(tree.block, forged)
    tree.header.append(tree.wrapper(tree.block))


def block_beside_forged_one(tree):
    forged = copy.deepcopy(tree.block)
    del forged.attrib[ID]
    forged.text = "forged"
    tree.header.insert(0, forged)


def second_element_in_body(tree):
    tree.body.append(copy.deepcopy(tree.body[0]))


def security_in_wrapper(tree):
    tree.header.insert(0, tree.wrapper(tree.security))


def second_security(tree):
    tree.header.append(copy.deepcopy(tree.security))


def empty_second_security(tree):
    etree.SubElement(tree.header, f"{{{WSSE}}}Security")


def second_signature(tree):
    tree.security.append(copy.deepcopy(tree.signature))


def second_signed_info(tree):
    tree.signature.insert(0, copy.deepcopy(tree.signature[0]))


def second_signature_value(tree):
    tree.signature.insert(1, copy.deepcopy(tree.signature[1]))


def second_digest_value(tree):
    reference = tree.signature[0][2]
    reference.append(copy.deepcopy(reference[2]))


def second_token(tree):
    token = copy.deepcopy(tree.token)
    token.set(ID, "another")
    tree.security.insert(0, token)


def security_for_another_role(tree):
    name = "actor" if tree.soap == SOAP["1.1"] else "role"
    tree.security.set(f"{{{tree.soap}}}{name}", "urn:someone-else")


def unsigned_mandatory_block(tree):
    block = etree.SubElement(tree.header, "{urn:w}Order")
    block.set(f"{{{tree.soap}}}mustUnderstand", "1")


def duplicate_id_in_header(tree):
    etree.SubElement(tree.header, "{urn:w}Other").set(ID, tree.body.get(ID))


def same_id_in_another_attribute(name):
    def attack(tree):
        etree.SubElement(tree.header, "{urn:w}Other").set(name, tree.body.get(ID))

    return attack


def signature_with_object(tree):
    etree.SubElement(tree.signature, f"{{{DS}}}Object").text = "x"


def header_after_body(tree):
    tree.root.append(tree.header)


def foreign_child_of_envelope(tree):
    etree.SubElement(tree.root, "{urn:w}Trailer")


def text_in_body(tree):
    tree.body.text = "forged"


def text_in_envelope(tree):
    tree.root.text = "forged"


ID_LIKE = ("Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id", "{urn:w}Id")
REARRANGED = [
    envelope_in_header, envelope_in_body, evil_envelope_around_signed_security, second_timestamp, wrapped_timestamp,
    timestamp_in_header, wrapped_block, block_beside_forged_one, second_element_in_body, security_in_wrapper,
    second_security, empty_second_security, second_signature, second_signed_info, second_signature_value,
    second_digest_value, second_token, security_for_another_role, unsigned_mandatory_block, duplicate_id_in_header,
    signature_with_object, header_after_body, foreign_child_of_envelope, text_in_body, text_in_envelope,
    *[same_id_in_another_attribute(name) for name in ID_LIKE],
]  # fmt: skip

POLICY = SignaturePolicy(signed_headers=frozenset({f"{{{WSA}}}RelatesTo"}))


@pytest.fixture(params=["1.1", "1.2"])
def version(request):
    return request.param


@pytest.fixture(params=["p256", "rsa"])
def kind(request):
    return request.param


@pytest.fixture
def check(pki, kind, version, now):
    """Applies an attack to a signed message and says why it was refused; fails if it was not."""
    key = pki.signer(kind)
    trust = pki.anchored()

    def run(attack) -> str:
        signed = sign_soap_parts(
            PAYLOAD, key, version=version, now=now, headers=[text_header(WSA, "RelatesTo", "question-1")]
        )
        tree = Tree(signed.envelope)
        attack(tree)
        with pytest.raises(Rejected) as refused:
            verify_soap(etree.tostring(tree.root), POLICY, trust, now=now)
        return refused.value.reason

    return run


def test_the_message_that_is_attacked_is_accepted_as_it_was(pki, kind, version, now):
    key = pki.signer(kind)
    signed = sign_soap_parts(PAYLOAD, key, version=version, now=now, headers=[text_header(WSA, "RelatesTo", "q")])
    untouched = etree.tostring(Tree(signed.envelope).root)
    assert verify_soap(untouched, POLICY, pki.anchored(), now=now).element[0].text == "genuine"


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_moved_body_never_vouches_for_another(check, place, options):
    assert check(lambda tree: replaced(tree, place, **options)) in ("not-covered", "malformed", "altered")


@pytest.mark.parametrize("attack", REARRANGED, ids=lambda attack: attack.__name__)
def test_a_rearranged_message_is_refused(check, attack):
    assert check(attack) in ("not-covered", "malformed")


def test_the_element_handed_over_leads_to_nothing_unsigned(pki, now):
    key = pki.signer()
    header = b'<w:Other xmlns:w="urn:w">unsigned</w:Other>'
    signed = sign_soap_parts(PAYLOAD, key, now=now, unsigned_headers=header, headers=[text_header(WSA, "To", "q")])
    verified = verify_soap(signed.envelope, SignaturePolicy(), pki.anchored(), now=now)
    assert [block.tag for block in verified.headers] == [f"{{{WSA}}}To"]
    left = [etree.QName(element).localname for element in verified.element.getroottree().iter()]
    assert left == ["Envelope", "Header", "To", "Body", "Answer", "Name"]
    assert not verified.element.getroottree().getroot().attrib
