"""The parser by itself, without the checks before it: the second line, should somebody find a way past the first."""

import threading
from pathlib import Path

import pytest
from lxml import etree

from security.signature_structure import element_only, text_of
from security.xml import (
    MESSAGE,
    Limits,
    XmlRefused,
    _hardened,
    _PerThread,
    blank,
    canonical,
    canonical_inclusive,
    parse,
)


def read(document: bytes) -> etree._Element:
    return etree.fromstring(document, _hardened())


def test_entities_are_not_put_in(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    inside = read(b'<!DOCTYPE a [<!ENTITY e "expanded">]><a>&e;</a>')
    outside = read(f'<!DOCTYPE a [<!ENTITY e SYSTEM "{secret.as_uri()}">]><a>&e;</a>'.encode())
    for root in (inside, outside):
        assert "".join(root.itertext(tag=etree.Element)) == ""
        assert b"expanded" not in etree.tostring(root[0], with_tail=False)
        assert b"secret" not in etree.tostring(root[0], with_tail=False)


def test_a_document_type_elsewhere_is_not_read(tmp_path: Path) -> None:
    elsewhere = tmp_path / "a.dtd"
    elsewhere.write_text('<!ELEMENT a ANY><!ATTLIST a given CDATA "by the type">')
    assert read(f'<!DOCTYPE a SYSTEM "{elsewhere.as_uri()}"><a/>'.encode()).attrib == {}
    # The parser of messages does not even open it.
    with pytest.raises(XmlRefused) as refused:
        etree.fromstring(f'<!DOCTYPE a SYSTEM "{elsewhere.as_uri()}"><a/>'.encode(), _PerThread().parser)
    assert refused.value.reason == "doctype"
    # Nor does a document have to be what its type says.
    assert read(b"<!DOCTYPE a [<!ELEMENT a EMPTY>]><a><b/></a>")[0].tag == "b"


def test_what_stands_there_is_kept_as_it_is() -> None:
    text = b"<a>\n <!-- said -->\n <?done so?>\n</a>"
    assert etree.tostring(read(text)) == text


def test_what_is_broken_is_not_mended() -> None:
    with pytest.raises(etree.XMLSyntaxError):
        read(b"<a><b></a>")


def test_the_library_keeps_its_own_bounds() -> None:
    with pytest.raises(etree.XMLSyntaxError):
        read(b"<a>" * 300 + b"</a>" * 300)


def test_bytes_are_utf_8_whatever_they_say() -> None:
    assert read('<?xml version="1.0" encoding="iso-8859-1"?><a>Đất</a>'.encode()).text == "Đất"


def test_ids_are_not_collected() -> None:
    """Ids are looked for by us, among the attributes that the profile names; the parser's own table is not asked."""
    assert read(b'<a xml:id="x"/>').xpath("id('x')") == []


def test_every_thread_gets_such_a_parser_and_knows_the_default_prefix() -> None:
    document = b'<r xmlns="urn:d" xmlns:p="urn:p"><p:a><!-- c --><b/></p:a></r>'
    found: list[object] = []

    def work() -> None:
        held = _PerThread()
        found.append(held.parser is not None)
        root = etree.fromstring(b'<!DOCTYPE a [<!ENTITY e "expanded">]><a>&e;</a>', held.parser)
        found.append(etree.tostring(root[0], with_tail=False))
        part = etree.fromstring(document, held.parser)[0]
        found.append(canonical(part, ["#default"]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True, b"&e;", b'<p:a xmlns="urn:d" xmlns:p="urn:p"><b></b></p:a>']


def test_canonical_forms_have_no_comments_and_no_tail() -> None:
    root = etree.fromstring(b"<r><a><!-- c --><b/></a>tail</r>")
    assert canonical(root) == b"<r><a><b></b></a>tail</r>"
    assert canonical(root[0]) == b"<a><b></b></a>"
    for version in ("1.0", "1.1"):
        assert canonical_inclusive(root, version) == b"<r><a><b></b></a>tail</r>"
        assert canonical_inclusive(root[0], version) == b"<a><b></b></a>"


def test_inclusive_canonicalisation_keeps_namespaces_that_nobody_uses() -> None:
    root = etree.fromstring(b'<r xmlns:unused="urn:u"><a/></r>')
    assert canonical_inclusive(root) == b'<r xmlns:unused="urn:u"><a></a></r>'
    assert canonical_inclusive(root[0]) == b'<a xmlns:unused="urn:u"></a>'


def test_a_part_is_canonicalised_up_to_a_bound() -> None:
    size = 256 * 1024 - len("<a></a>")
    for length in (size, size + 1):
        root = parse(b"<r><a>" + b"x" * length + b"</a></r>", MESSAGE)
        if length == size:
            assert len(canonical_inclusive(root[0])) == 256 * 1024
        else:
            with pytest.raises(XmlRefused) as refused:
                canonical_inclusive(root[0])
            assert refused.value.reason == "too-large"


def why(document: bytes, limits: Limits = MESSAGE) -> str:
    with pytest.raises(XmlRefused) as refused:
        parse(document, limits)
    return refused.value.reason


def test_what_keeps_within_a_cap_to_the_last_one_is_read() -> None:
    limits = Limits(elements=5, attributes=2, all_attributes=6, namespaces=3)
    assert len(parse(b"<r><a/><a/><a/><a></a></r>", limits)) == 4
    assert why(b"<r><a/><a/><a/><a></a><a/></r>", limits) == "too-many"
    assert len(parse(b"<r><a b='' c=''/><a b='' c=''/><a b='' c=''/></r>", limits)) == 3
    assert why(b"<r><a b='' c=''/><a b='' c=''/><a b='' c=''/>=</r>", limits) == "too-many"
    assert why(b"<r><a b='' c='' d=''/></r>", limits) == "too-many"
    assert parse(b"<r xmlns='urn:a' b=''><a xmlns='urn:b'/><a xmlns='urn:c'/></r>", limits) is not None
    assert why(b"<r xmlns='urn:a'><a xmlns='urn:b'/><a xmlns='urn:c'/><a xmlns='urn:d'/></r>", limits) == "too-many"


def test_a_mark_of_byte_order_hides_no_declaration() -> None:
    mark = b"\xef\xbb\xbf"
    assert parse(mark + b'<?xml version="1.0" encoding="UTF-8"?><a/>').tag == "a"
    assert why(mark + b'<?xml version="1.0" encoding="iso-8859-1"?><a/>') == "encoding"
    assert why(mark + b'<?xml version="1.1"?><a/>') == "encoding"


def test_no_id_is_collected_from_a_message() -> None:
    assert len(parse(b'<r><a xml:id="x"/><b xml:id="x"/></r>')) == 2


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u3000", "\u0085"])
def test_white_space_is_what_xml_says_it_is(space: str) -> None:
    """Other spaces are text, which a verifier must not overlook."""
    assert not blank(space)
    assert blank(" \t\r\n")
    root = parse(f"<r><a>{space}x{space}</a>{space}<b/></r>".encode())
    assert text_of(root[0], frozenset(), "it") == f"{space}x{space}"
    assert not element_only(root, list(root))
    assert element_only(parse(b"<r> <a/>\n\t<b/>\r\n</r>"), list(parse(b"<r> <a/>\n\t<b/>\r\n</r>")))
