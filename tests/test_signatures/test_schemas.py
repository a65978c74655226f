"""Schemas compiled out of contracts: neighbours are found in the WSDL or the folder, never anywhere else."""

import pytest
from lxml import etree

from security.xml import XmlRefused, compile_schema, parse

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
FIRST = """<xs:schema targetNamespace="urn:a" elementFormDefault="qualified"><xs:import namespace="urn:b" {}/>
<xs:element name="A"><xs:complexType><xs:sequence><xs:element ref="b:B"/></xs:sequence></xs:complexType></xs:element>
</xs:schema>"""
SECOND = """<xs:schema {} targetNamespace="urn:b"><!-- kept --><xs:import namespace="urn:a"/>
<xs:element name="B" type="xs:int"/></xs:schema>"""
GOOD, BAD = b'<A xmlns="urn:a"><b:B xmlns:b="urn:b">3</b:B></A>', b'<A xmlns="urn:a"><b:B xmlns:b="urn:b">x</b:B></A>'


def wsdl(*schemas: str) -> bytes:
    types = "".join(schemas)
    return f'<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" {XS} xmlns:b="urn:b"><w:types>{types}</w:types></w:definitions>'.encode()  # noqa: E501


@pytest.mark.parametrize("location", ["", 'schemaLocation="http://127.0.0.1:1/b.xsd"'])
def test_schemas_of_a_wsdl_find_each_other(location):
    schema = compile_schema(wsdl(FIRST.format(location), SECOND.format("")))
    assert schema.validate(parse(GOOD))
    assert not schema.validate(parse(BAD))
    assert schema.validate(parse(b'<B xmlns="urn:b">3</B>'))
    assert not schema.validate(parse(b'<C xmlns="urn:b">3</C>'))


def test_parts_of_a_tree_can_be_validated():
    schema = compile_schema(wsdl(FIRST.format(""), SECOND.format("")))
    assert schema.validate(parse(b"<outer>" + GOOD + b"</outer>")[0])
    assert not schema.validate(parse(b"<outer>" + BAD + b"</outer>")[0])


def test_several_schemas_of_one_namespace_are_one():
    parts = (
        f'<xs:schema targetNamespace="urn:b"><xs:element name="{name}" type="xs:int"/></xs:schema>' for name in "BC"
    )
    schema = compile_schema(wsdl(*parts))
    assert schema.validate(parse(b'<B xmlns="urn:b">3</B>'))
    assert schema.validate(parse(b'<C xmlns="urn:b">3</C>'))


def test_a_schema_without_namespace():
    schema = compile_schema(f'<xs:schema {XS}><xs:element name="a" type="xs:int"/></xs:schema>'.encode())
    assert schema.validate(parse(b"<a>1</a>"))
    assert not schema.validate(parse(b"<a>x</a>"))


def test_files_are_found_beside_the_contract_only(tmp_path):
    (tmp_path / "inside").mkdir()
    first = FIRST.replace("<xs:schema", f'<xs:schema {XS} xmlns:b="urn:b"', 1)
    beside = first.format('schemaLocation="b.xsd"').encode()
    second = SECOND.format(XS).replace('<xs:import namespace="urn:a"/>', '<xs:include schemaLocation="c.xsd"/>')
    third = f'<xs:schema {XS} targetNamespace="urn:b"><xs:element name="C" type="xs:int"/></xs:schema>'
    (tmp_path / "b.xsd").write_text(second)
    (tmp_path / "c.xsd").write_text(third)
    schema = compile_schema(beside, tmp_path)
    assert schema.validate(parse(GOOD))
    assert not schema.validate(parse(BAD))
    assert schema.validate(parse(b'<C xmlns="urn:b">3</C>'))
    for location in ("../b.xsd", str(tmp_path / "b.xsd"), (tmp_path / "b.xsd").as_uri(), "http://127.0.0.1:1/b.xsd"):
        with pytest.raises(etree.XMLSchemaParseError):
            compile_schema(first.format(f'schemaLocation="{location}"').encode(), tmp_path / "inside")
    with pytest.raises(etree.XMLSchemaParseError):
        compile_schema(beside)


def test_documents_without_a_schema_or_with_a_dtd_are_refused():
    with pytest.raises(LookupError):
        compile_schema(b"<a/>")
    with pytest.raises(XmlRefused):
        compile_schema(f"<!DOCTYPE a><xs:schema {XS}/>".encode())
    with pytest.raises(etree.XMLSchemaParseError):
        compile_schema(f'<xs:schema {XS}><xs:element name="a" type="nowhere"/></xs:schema>'.encode())
