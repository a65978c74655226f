"""What is sent in a caller's name without its signature, or beside it, is refused; nothing of it is read."""

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from schemas.errors import SignatureRejected
from schemas.exchange import Answer, CallerSignature, Exchange
from security.request_signatures import counted_once
from security.signature import RecentSignatures, SignaturePolicy, SoapVersion
from security.soap_callers import GATEWAY, SoapCallers
from security.soap_plain import SOAP
from security.soap_signing import sign_soap, sign_soap_parts, text_header
from tests.test_signatures.conftest import DS, WSU
from tests.test_soap_callers.callers import HEADERS, NOW, PAYLOAD, Holder, Office, client, signed

ID = f"{{{WSU}}}Id"
PURPOSE = f"{{{GATEWAY}}}Purpose"
XROAD = "http://x-road.eu/xsd/xroad.xsd"


class Tree:
    """A signed message taken apart."""

    def __init__(self, document: bytes) -> None:
        self.root = etree.fromstring(document)
        self.header, self.body = self.root
        self.security = self.header[0]
        self.purpose = self.header.find(PURPOSE)
        self.soap = etree.QName(self.root).namespace

    @property
    def forged(self) -> Any:
        """Another purpose than the signed one."""
        block = etree.Element(PURPOSE, nsmap={"f": GATEWAY})
        block.text = "inspection"
        return block

    def wrapped(self, content: Any) -> Any:
        wrapper = etree.Element("{urn:wrapper}Wrapper")
        wrapper.append(content)
        return wrapper

    def other_body(self, *, keep_id: bool = False) -> Any:
        body = copy.deepcopy(self.body)
        body[0][0].text = "001190000002"
        if not keep_id:
            del body.attrib[ID]
        return body


def the_body_wrapped_in_the_header(tree: Tree) -> None:
    forged = tree.other_body()
    tree.root.replace(tree.body, forged)
    tree.header.append(tree.wrapped(tree.body))


def the_body_wrapped_under_its_id(tree: Tree) -> None:
    forged = tree.other_body(keep_id=True)
    tree.root.replace(tree.body, forged)
    tree.header.append(tree.wrapped(tree.body))


def the_body_inside_the_forged_one(tree: Tree) -> None:
    forged = tree.other_body()
    tree.root.replace(tree.body, forged)
    forged.append(tree.body)


def a_second_body(tree: Tree) -> None:
    tree.root.append(tree.other_body())


def a_second_element_in_the_body(tree: Tree) -> None:
    tree.body.append(copy.deepcopy(tree.body[0]))


def another_question(tree: Tree) -> None:
    tree.body[0][0].text = "001190000002"


def the_purpose_wrapped(tree: Tree) -> None:
    tree.header.replace(tree.purpose, tree.forged)
    tree.header.append(tree.wrapped(tree.purpose))


def the_purpose_inside_the_forged_one(tree: Tree) -> None:
    forged = tree.forged
    tree.header.replace(tree.purpose, forged)
    forged.append(tree.purpose)


def the_purpose_moved_into_security(tree: Tree) -> None:
    tree.security.append(tree.purpose)


def the_purpose_moved_into_the_body(tree: Tree) -> None:
    tree.body.append(tree.purpose)


def the_purpose_moved_into_another_block(tree: Tree) -> None:
    tree.header.append(tree.wrapped(tree.purpose))


def an_unsigned_purpose_behind_the_signed_one(tree: Tree) -> None:
    tree.header.append(tree.forged)


def an_unsigned_purpose_before_the_signed_one(tree: Tree) -> None:
    tree.header.insert(0, tree.forged)


def an_unsigned_purpose_instead(tree: Tree) -> None:
    tree.header.replace(tree.purpose, tree.forged)


def an_unsigned_purpose_under_the_signed_id(tree: Tree) -> None:
    forged = tree.forged
    forged.set(ID, tree.purpose.get(ID))
    tree.header.replace(tree.purpose, forged)


def an_unsigned_element_of_ours_that_was_not_sent(tree: Tree) -> None:
    etree.SubElement(tree.header, f"{{{GATEWAY}}}Fields").text = "fullName"


def the_purpose_taken_away(tree: Tree) -> None:
    tree.header.remove(tree.purpose)


def another_purpose(tree: Tree) -> None:
    tree.purpose.text = "inspection"


def the_signature_taken_away(tree: Tree) -> None:
    tree.security.remove(tree.security.find(f"{{{DS}}}Signature"))


def security_taken_away(tree: Tree) -> None:
    tree.header.remove(tree.security)


def security_twice(tree: Tree) -> None:
    tree.header.append(copy.deepcopy(tree.security))


def security_for_somebody_else(tree: Tree) -> None:
    tree.security.set(f"{{{tree.soap}}}{'actor' if tree.soap == SOAP['1.1'] else 'role'}", "urn:somebody")


def a_mandatory_block_that_nobody_signed(tree: Tree) -> None:
    etree.SubElement(tree.header, "{urn:o}Other").set(f"{{{tree.soap}}}mustUnderstand", "1")


def a_longer_life(tree: Tree) -> None:
    tree.security.find(f"{{{WSU}}}Timestamp")[1].text = "2026-11-24T08:00:00Z"


ATTACKS: list[Callable[[Tree], None]] = [
    *[the_body_wrapped_in_the_header, the_body_wrapped_under_its_id, the_body_inside_the_forged_one, a_second_body],
    *[a_second_element_in_the_body, another_question, the_purpose_wrapped, the_purpose_inside_the_forged_one],
    *[the_purpose_moved_into_security, the_purpose_moved_into_the_body, the_purpose_moved_into_another_block],
    *[an_unsigned_purpose_behind_the_signed_one, an_unsigned_purpose_before_the_signed_one, security_twice],
    *[an_unsigned_purpose_instead, an_unsigned_purpose_under_the_signed_id, the_purpose_taken_away],
    *[an_unsigned_element_of_ours_that_was_not_sent, another_purpose, the_signature_taken_away, security_taken_away],
    *[security_for_somebody_else, a_mandatory_block_that_nobody_signed, a_longer_life],
]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("kind", ["p256", "rsa"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_nothing_is_read_of_a_message_that_was_changed(
    office: Office, holders: dict[str, Holder], attack: Callable[[Tree], None], kind: str, version: SoapVersion
) -> None:
    await client(office, "ministry", holders[kind])
    tree = Tree(signed(holders[kind], version=version))
    assert office.verify(etree.tostring(tree.root), version)
    attack(tree)
    assert office.refused(etree.tostring(tree.root), version).reason in ("altered", "not-covered", "malformed")


@pytest.mark.parametrize("headers", [{}, {"Purpose": "dossier-processing"}], ids=["alone", "beside a signed one"])
async def test_an_unsigned_element_of_ours_is_named(office: Office, p256: Holder, headers: dict[str, str]) -> None:
    await client(office, "ministry", p256)
    unsigned = f'<g:Officer xmlns:g="{GATEWAY}">nguyen.van.a</g:Officer>'.encode()
    refusal = office.refused(signed(p256, headers=headers, unsigned_headers=unsigned))
    assert refusal.reason == "not-covered"
    assert f"header elements of {GATEWAY} must be signed" in refusal.detail.en


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_a_signed_element_counts_once(office: Office, p256: Holder, version: SoapVersion) -> None:
    await client(office, "ministry", p256)
    parts = [text_header(GATEWAY, "Purpose", text) for text in ("inspection", "dossier-processing")]
    twice = sign_soap_parts(PAYLOAD, p256.key, version=version, headers=parts, now=NOW).envelope
    assert office.refused(twice, version).reason == "malformed"


@pytest.mark.parametrize(("version", "name"), [("1.1", "actor"), ("1.2", "role")])
async def test_an_element_for_somebody_else_is_refused(
    office: Office, p256: Holder, version: SoapVersion, name: str
) -> None:
    await client(office, "ministry", p256)
    envelope = (
        f'<e:Envelope xmlns:e="{SOAP[version]}"><e:Header><g:Purpose xmlns:g="{GATEWAY}" e:{name}="urn:somebody">'
        f"inspection</g:Purpose></e:Header><e:Body>{PAYLOAD.decode()}</e:Body></e:Envelope>"
    ).encode()
    document = sign_soap(envelope, p256.key, headers=[PURPOSE], now=NOW).envelope
    assert office.refused(document, version).reason == "malformed"
    ours = sign_soap(envelope.replace(b"urn:somebody", b""), p256.key, headers=[PURPOSE], now=NOW).envelope
    assert office.verify(ours, version).headers[0].text == "inspection"


async def test_elements_of_a_security_server_may_be_unsigned_and_are_not_read(office: Office, p256: Holder) -> None:
    await client(office, "ministry", p256)
    unsigned = f'<x:id xmlns:x="{XROAD}">1</x:id><o xmlns="urn:o">{"x" * 10}</o>'.encode()
    call = office.verify(signed(p256, unsigned_headers=unsigned))
    assert {etree.QName(one).localname for one in call.headers} == HEADERS.keys()
    left = [etree.QName(one).localname for one in call.body.getroottree().iter()]
    assert "id" not in left
    assert "o" not in left


async def test_a_message_of_another_version_is_refused(office: Office, p256: Holder) -> None:
    await client(office, "ministry", p256)
    assert office.refused(signed(p256, version="1.2"), "1.1").reason == "malformed"
    assert office.refused(signed(p256, version="1.1"), "1.2").reason == "malformed"


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(-361, "stale"), (-359, None), (59, None), (61, "stale")],
    ids=["old", "aged", "ahead", "far"],
)
async def test_a_message_counts_in_its_time(office: Office, p256: Holder, seconds: int, reason: str | None) -> None:
    await client(office, "ministry", p256)
    document = signed(p256, now=NOW + timedelta(seconds=seconds))
    if reason is None:
        # Its own Expires and the greatest age fall together: 300 s, and 60 s between clocks.
        assert office.verify(document)
    else:
        assert office.refused(document).reason == reason


async def test_a_longer_life_is_cut(office: Office, p256: Holder) -> None:
    await client(office, "ministry", p256)
    document = signed(p256, now=NOW - timedelta(seconds=400), lifetime=timedelta(hours=1))
    assert office.refused(document).reason == "stale"


async def test_an_unknown_signer_learns_nothing_more(office: Office, p256: Holder) -> None:
    await client(office, "ministry", p256)
    stranger = Holder.of(ec.generate_private_key(ec.SECP256R1()), "somebody")
    # Neither whether its digests are right, nor whether its time is.
    altered = signed(stranger).replace(b"001190000001", b"001190000002")
    late = signed(stranger, now=NOW - timedelta(hours=2))
    assert {office.refused(one).reason for one in (altered, late)} == {"untrusted"}


@pytest.mark.parametrize("document", [b"", b"x", b"<a/>", b"<a>", b"\xff", b"<!DOCTYPE a><a/>"])
async def test_what_is_no_message_is_malformed(office: Office, document: bytes) -> None:
    assert office.refused(document).reason == "malformed"


class Used:
    """A memory of what counts once, in this process."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], int] = {}

    async def first_use(
        self, client_id: str, token_id: str, expires_at: int, now: int, signed_at: datetime | None = None
    ) -> bool:
        new = (client_id, token_id) not in self.seen
        self.seen[client_id, token_id] = expires_at
        return new


async def test_a_message_counts_once(office: Office, p256: Holder) -> None:
    await client(office, "ministry", p256)

    async def answer(_: Exchange) -> Answer:
        return Answer({})

    once = counted_once(Used(), clock=lambda: NOW)(answer)

    async def ask(document: bytes) -> str | None:
        found: CallerSignature = office.verify(document).signed
        exchange = Exchange.__new__(Exchange)
        exchange.signed = found
        try:
            await once(exchange)
        except SignatureRejected as refused:
            return refused.reason
        return None

    first = signed(p256)
    # Written otherwise and signed once: the same message, whatever stands around what is signed.
    again = first.replace(b"<env:Header>", b"<env:Header>\n ")
    assert [await ask(one) for one in (first, first, again, signed(p256))] == [None, "replayed", "replayed", None]


async def test_a_policy_may_be_given(office: Office, p256: Holder) -> None:
    await client(office, "ministry", p256)
    memory = RecentSignatures(clock=lambda: NOW)
    short = SignaturePolicy(max_age=timedelta(seconds=10), skew=timedelta(seconds=5), replays=memory)
    office.callers = SoapCallers(office.registry, short)
    document = signed(p256)
    assert office.verify(document).signed.forget_at == int(NOW.timestamp()) + 20
    # Once is counted where the message is used, and not where it is verified.
    assert office.verify(document)
    assert office.refused(signed(p256, now=NOW - timedelta(seconds=16))).reason == "stale"
    unsigned = f'<g:Officer xmlns:g="{GATEWAY}">nguyen.van.a</g:Officer>'.encode()
    assert office.refused(signed(p256, unsigned_headers=unsigned)).reason == "not-covered"
