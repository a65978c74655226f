"""Header blocks that must be signed cannot be wrapped, and nothing unsigned is handed over.

All other wrapping, of Body and Timestamp, is in `tests/test_attacks`.
"""

import copy

import pytest
from lxml import etree

from security.signature import Rejected, SignaturePolicy
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts, text_header

WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSA = "http://www.w3.org/2005/08/addressing"
ID = f"{{{WSU}}}Id"
PAYLOAD = b'<q:Answer xmlns:q="urn:q"><q:Name>genuine</q:Name></q:Answer>'
POLICY = SignaturePolicy(signed_headers=frozenset({f"{{{WSA}}}RelatesTo"}))


class Tree:
    """A signed envelope taken apart."""

    def __init__(self, envelope: bytes) -> None:
        self.root = etree.fromstring(envelope)
        self.header, self.body = self.root
        self.security, self.block = self.header

    def forged(self, *, keep_id: bool = False):
        """A block like the signed one, with another text."""
        block = copy.deepcopy(self.block)
        block.text = "forged"
        if not keep_id:
            del block.attrib[ID]
        return block

    def wrapped(self, content):
        """An element that nobody knows, with this inside."""
        wrapper = etree.Element("{urn:wrapper}Wrapper")
        wrapper.append(content)
        return wrapper


def wrapped_in_the_header(tree):
    tree.header.replace(tree.block, tree.forged())
    tree.header.append(tree.wrapped(tree.block))


def wrapped_under_the_same_id(tree):
    tree.header.replace(tree.block, tree.forged(keep_id=True))
    tree.header.append(tree.wrapped(tree.block))


def wrapped_in_security(tree):
    tree.header.replace(tree.block, tree.forged())
    tree.security.append(tree.wrapped(tree.block))


def inside_the_forged_one(tree):
    forged = tree.forged()
    tree.header.replace(tree.block, forged)
    forged.append(tree.block)


def before_the_forged_one(tree):
    tree.header.append(tree.forged())


def behind_the_forged_one(tree):
    tree.header.insert(0, tree.forged())


def taken_away(tree):
    tree.header.remove(tree.block)


def moved_into_the_envelope(tree):
    tree.root.append(tree.block)


ATTACKS = [
    wrapped_in_the_header, wrapped_under_the_same_id, wrapped_in_security, inside_the_forged_one, before_the_forged_one,
    behind_the_forged_one, taken_away, moved_into_the_envelope,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["p256", "rsa"])
@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_block_that_must_be_signed_cannot_be_replaced(pki, now, attack, version, kind):
    key, trust = pki.signer(kind), pki.anchored()
    header = text_header(WSA, "RelatesTo", "question-1")
    tree = Tree(sign_soap_parts(PAYLOAD, key, version=version, now=now, headers=[header]).envelope)
    assert verify_soap(etree.tostring(tree.root), POLICY, trust, now=now).headers[0].text == "question-1"
    attack(tree)
    with pytest.raises(Rejected) as refused:
        verify_soap(etree.tostring(tree.root), POLICY, trust, now=now)
    assert refused.value.reason in ("not-covered", "malformed", "altered")


def test_the_element_handed_over_leads_to_nothing_unsigned(pki, now):
    key = pki.signer()
    header = b'<w:Other xmlns:w="urn:w">unsigned</w:Other>'
    signed = sign_soap_parts(PAYLOAD, key, now=now, unsigned_headers=header, headers=[text_header(WSA, "To", "q")])
    verified = verify_soap(signed.envelope, SignaturePolicy(), pki.anchored(), now=now)
    assert [block.tag for block in verified.headers] == [f"{{{WSA}}}To"]
    left = [etree.QName(element).localname for element in verified.element.getroottree().iter()]
    assert left == ["Envelope", "Header", "To", "Body", "Answer", "Name"]
    assert not verified.element.getroottree().getroot().attrib
