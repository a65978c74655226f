"""The parser by itself, without the checks before it: the second line, should somebody find a way past the first."""

import threading
from pathlib import Path

import pytest
from lxml import etree

from security.xml import MESSAGE, XmlRefused, _hardened, _PerThread, canonical, canonical_inclusive, parse


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
    with pytest.raises(XmlRefused, match="doctype"):
        etree.fromstring(f'<!DOCTYPE a SYSTEM "{elsewhere.as_uri()}"><a/>'.encode(), _PerThread().parser)
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
