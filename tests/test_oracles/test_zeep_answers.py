"""Whatever a contract allows a source to answer is read as zeep reads it.

zeep does not tell empty from missing, nor an element that holds nothing from one that is not there; what the
difference means is tested in `test_codecs`.
"""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from zeep.helpers import serialize_object
from zeep.wsdl import Document
from zeep.xsd import Schema

from adapters import land, population, tax
from adapters.codecs import xml_decoder
from adapters.contract_check import contract_of
from adapters.signed_xml import SignedXml
from adapters.soap import Soap
from schemas.exchange import Database
from schemas.fields import Branch, Leaf, Shape, shape_of
from schemas.forms import Unmapped
from security.contracts import contract_path, contract_schema
from security.elements import accept_unsigned, elements_at
from security.xml import CONTRACT, parse
from tests.test_oracles.asking import operation_of
from tests.test_oracles.instances import Instances

Tree = dict[str, Any]

DATABASES: dict[str, Database] = {one.DATABASE.name: one.DATABASE for one in (population, tax, land)}
CASES = [(name, one.name) for name, database in DATABASES.items() for one in database.operations]


def contract(file: str) -> Any:
    """The types of a contract as zeep knows them."""
    path = contract_path(file)
    if path.suffix == ".xsd":
        return Schema(parse(path.read_bytes(), CONTRACT), None, str(path))
    return Document(str(path), Files()).types


class Files:
    """zeep's way to files, and to nothing else."""

    def load(self, url: str) -> bytes:
        return contract_path(url.rpartition("/")[2]).read_bytes()


def text_of(value: Any) -> str | None:
    """What stood in the document, where zeep made a value of it."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def found(tree: Any, path: tuple[str, ...]) -> Any:
    for segment in path:
        if tree is None:
            return None
        tree = tree.get(segment.removeprefix("@"))
    return tree


def derived(shape: Shape, tree: Tree) -> Tree:
    """Our record, made of what zeep says: member by member, each looked up on its own."""
    record: Tree = {}
    for member in shape.members:
        if isinstance(member, Branch):
            below = found(tree, member.path)
            if member.many:
                record[member.name] = [derived(member.shape, one) for one in below or [] if one is not None]
            else:
                record[member.name] = None if below is None else derived(member.shape, below)
            continue
        assert isinstance(member, Leaf)
        texts = [text_of(found(tree, path)) for path in member.paths]
        try:
            known = [text for text in texts if text is not None]
            record[member.name] = member.form.read(*texts) if known else None
        except Unmapped:
            record[member.name] = None
    return record


def plain(value: Any) -> Any:
    """Nothing for what is empty, blank or holds only such."""
    if isinstance(value, Mapping):
        members = {name: plain(item) for name, item in value.items()}
        return members if any(item not in (None, []) for item in members.values()) else None
    if isinstance(value, list):
        return [item for item in map(plain, value) if item is not None]
    return None if isinstance(value, str) and not value.strip() else value


@pytest.mark.parametrize("case", CASES, ids="/".join)
def test_answers_are_read_as_zeep_reads_them(case: tuple[str, str]) -> None:
    operation = operation_of(DATABASES[case[0]], case[1])
    binding = operation.binding
    assert isinstance(binding, Soap | SignedXml)
    file = contract_of(binding)
    assert file is not None
    types, schema = contract(file), contract_schema(file)
    namespace, name = binding.answer
    told = types.get_element(f"{{{namespace}}}{name}")
    shape = shape_of(operation.answer)
    decode = xml_decoder(shape, namespace)
    checked = xml_decoder(shape, namespace, checked=True)
    path = tuple(filter(None, binding.record.split("/")))
    seen: set[str] = set()

    for seed in range(150):
        document = Instances(file, Random(seed)).document(namespace, name)
        root = accept_unsigned(document)
        assert schema.validate(root), schema.error_log
        tree = serialize_object(told.parse(parse(document), types), dict)
        records = elements_at(root, path, f"{{{namespace}}}")
        theirs = found(tree, path)
        theirs = theirs if isinstance(theirs, list) else [] if theirs is None else [theirs]
        for record, other in zip(records, theirs, strict=True):
            data, _ = decode(record)
            assert checked(record) == decode(record)
            assert plain(data) == plain(derived(shape, other or {})), seed
            seen.update(member for member, value in data.items() if value not in (None, []))

    # Each member had a value at least once, or nothing was proven of it.
    assert seen == {member.name for member in shape.members}


def test_the_documents_differ_as_they_should() -> None:
    name = ("urn:lgsp:sandbox:thue:1.0", "TraCuuNguoiNopThueResponse")
    together = b"".join(Instances("tax.wsdl", Random(seed)).document(*name) for seed in range(60))
    for mark in (b"<![CDATA[", b"&amp;", b"&#", b"nil=", b"\n  <", b"/>", b"></", "đ".encode()):
        assert mark in together, mark
