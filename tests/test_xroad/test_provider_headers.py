"""X-Road header blocks read and written back: whatever an asker may write, the answer has it again, in its order."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from routes.soap.envelopes import read_unsigned
from routes.soap.replies import plain_envelope
from routes.soap.xroad import xroad_headers
from schemas.xroad import officer_of
from tests.test_xroad.double.messages import soap_request
from tests.test_xroad.double.vocabulary import HEADER, IDENTIFIERS, REPRESENTATION, XROAD, parse

# Carriage returns written as such become line feeds before anybody sees them (XML 1.0, section 2.11).
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"], include_characters="\t\n"), max_size=20
)
CODE = st.from_regex(r"[A-Za-z0-9'()+,.=?-]{1,12}", fullmatch=True)
PREFIX = st.sampled_from(["xrd", "x", "soapenv", "ns0", ""])


def same(element: etree._Element) -> Any:
    """What an element says, whatever its prefixes."""
    return element.tag, dict(element.attrib), element.text or "", [same(each) for each in element]


def block(prefix: str, namespace: str, name: str, inside: str, attributes: str = "") -> str:
    tag, declared = (f"{prefix}:{name}", f"xmlns:{prefix}") if prefix else (name, "xmlns")
    return f"<{tag} {declared}={quoteattr(namespace)} xmlns:i='{IDENTIFIERS}'{attributes}>{inside}</{tag}>"


@st.composite
def header(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A right header in any order, and the client's parts."""
    client = [draw(CODE) for _ in range(draw(st.sampled_from([3, 4])))]
    service = [draw(CODE) for _ in range(5)]
    names = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode")

    def identifier(name: str, parts: list[str], kind: str) -> str:
        inside = "".join(f"<i:{tag}>{escape(part)}</i:{tag}>" for tag, part in zip(names, parts, strict=False))
        return block(draw(PREFIX), XROAD, name, inside, f' i:objectType="{kind}"')

    def plain(name: str, text: str) -> str:
        note = draw(st.sampled_from(["", ' note="a&#10;b"', ' xml:lang="vi"', ' xmlns:unused="urn:of:nobody"']))
        shown = f"<![CDATA[{text}]]>" if draw(st.booleans()) and "]]>" not in text else escape(text)
        return block(draw(PREFIX), XROAD, name, shown, note)

    blocks = [
        identifier("client", client, ("MEMBER", "SUBSYSTEM")[len(client) - 3]),
        identifier("service", service, "ANY"),
        plain("id", draw(TEXT)),
        plain("protocolVersion", "4.0"),
    ]
    blocks += [plain(name, draw(TEXT)) for name in ("userId", "issue", "extension") if draw(st.booleans())]
    if draw(st.booleans()):
        inside = f"<p:partyCode xmlns:p='{REPRESENTATION}'>{draw(CODE)}</p:partyCode>"
        blocks.append(block("r", REPRESENTATION, "representedParty", inside))
    return "".join(draw(st.permutations(blocks))), client


@settings(max_examples=300, deadline=None)
@given(header())
def test_an_answer_says_what_its_request_said(written: tuple[str, list[str]]) -> None:
    text, client = written
    envelope = soap_request(header=text)
    found = xroad_headers(read_unsigned(envelope, "1.1").blocks)
    assert found is not None
    assert list(found.client) == client
    answer = plain_envelope(b"<a/>", "1.1", found.echo)
    sent, repeated = (parse(document).find(HEADER) for document in (envelope, answer))
    assert sent is not None
    assert repeated is not None
    assert [same(each) for each in repeated] == [same(each) for each in sent]


@given(st.from_regex(r"[A-Za-z]{2}([0-9]{9}|[0-9]{12})", fullmatch=True))
def test_the_country_before_an_identity_number_is_taken_off(user: str) -> None:
    assert officer_of(user) == user[2:]


@given(TEXT)
def test_any_other_account_is_left_as_it_is(user: str) -> None:
    assert officer_of(user) in (user, user[2:])
    if not user[2:].isdigit():
        assert officer_of(user) == user
