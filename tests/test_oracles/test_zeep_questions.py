"""Every question that a caller may put is written as zeep writes it from the contract alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import zeep
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters import land, population, tax
from adapters.encoding import texts_of, xml_of
from adapters.site import Site
from config.settings import Endpoint
from schemas.exchange import Database
from schemas.fields import shape_of
from security.contracts import contract_path, contract_schema
from security.xml import Element, parse
from tests.test_oracles.asking import exchange_of, operation_of

Tree = dict[str, Any]

SEX = {"male": "1", "female": "2", "other": "3"}
KINSHIP = {"father": "01", "mother": "02", "spouse": "03", "child": "04", "representative": "05", "household": "06"}
ENDPOINT = Endpoint(url="http://127.0.0.1:1", params={"MaDVC": "D", "MaCanBo": "C", "MaHeThong": "H"})

numbers = st.from_regex(r"[0-9]{12}", fullmatch=True)
cards = st.from_regex(r"[0-9]{9}", fullmatch=True)
years = st.integers(1900, 2026).map(str)
days = st.dates().filter(lambda day: day.year >= 1000).map(str)
births = st.one_of(years, days.map(lambda day: day[:7]), days)
# Marks of XML, letters that grow in capitals, and a decomposed Vietnamese one.
words = st.text("aàâăbcdđeêghiklmnoôơpqrstuưvxyỹßŉ &<>\"'́-./;", min_size=1, max_size=40)


def optional(values: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | values


def described(**members: st.SearchStrategy[str | None]) -> st.SearchStrategy[Tree]:
    """A body with some of these members."""
    found = st.fixed_dictionaries(members)
    return found.map(lambda body: {name: value for name, value in body.items() if value is not None})


def day(text: str | None) -> Tree | None:
    if text is None:
        return None
    return {"Nam": text} if len(text) == 4 else {"NgayThangNam": text.replace("-", "")}


def _person(question: Any) -> Tree:
    return {
        "SoDinhDanh": question.personal_id,
        "SoCMND": question.old_id_card,
        "HoVaTen": question.full_name and question.full_name.upper(),
        "NgayThangNamSinh": day(question.birth_date),
    }


def _match(question: Any) -> Tree:
    return _person(question) | {
        "GioiTinh": SEX.get(question.sex),
        "QuocTich": question.nationality,
        "SoSoHoKhau": question.household_number,
    }


def _relation(question: Any) -> Tree:
    return {
        "SoDinhDanh": question.personal_id,
        "SoDinhDanhNguoiThan": question.relative_id,
        "QuanHe": KINSHIP.get(question.relation),
    }


def _people(integration: str) -> Tree:
    return {"MaDVC": "D", "MaTichHop": integration, "MaCanBo": "C"}


CODES = st.from_regex(r"[0-9]{10}|[0-9]{12}", fullmatch=True)
CASES: dict[tuple[str, str], tuple[str, st.SearchStrategy[Tree], Tree, Callable[[Any], Tree]]] = {
    ("population", "person"): (
        "TraCuuThongTinCongDan",
        described(
            personal_id=optional(numbers), old_id_card=optional(cards), full_name=optional(words), birth_date=births
        ),
        _people("037"),
        _person,
    ),
    ("population", "match"): (
        "XacThucThongTinCongDan",
        described(
            personal_id=optional(numbers),
            old_id_card=optional(cards),
            full_name=optional(words),
            birth_date=optional(births),
            sex=optional(st.sampled_from(sorted(SEX))),
            nationality=optional(words),
            household_number=optional(words),
        ),
        _people("003"),
        _match,
    ),
    ("population", "relation"): (
        "XacMinhThongTinNhanThan",
        described(personal_id=numbers, relative_id=numbers, relation=optional(st.sampled_from(sorted(KINSHIP)))),
        _people("037"),
        _relation,
    ),
    ("tax", "taxpayer"): (
        "TraCuuNguoiNopThue",
        described(tax_code=CODES),
        {"MaHeThong": "H"},
        lambda question: {"MaSoThue": question.tax_code},
    ),
    ("tax", "obligations"): (
        "TraCuuNghiaVuThue",
        described(tax_code=CODES, due_from=optional(days), due_to=optional(days)),
        {"MaHeThong": "H"},
        lambda question: {"MaSoThue": question.tax_code, "TuNgay": question.due_from, "DenNgay": question.due_to},
    ),
}
DATABASES: dict[str, Database] = {one.DATABASE.name: one.DATABASE for one in (population, tax)}


def plain(element: Element) -> Any:
    """An element reduced to what it says: names, text, attributes; prefixes say nothing."""
    below = [plain(child) for child in element]
    return element.tag, dict(element.attrib), below or element.text or ""


@pytest.fixture(scope="module")
def clients() -> dict[str, zeep.Client]:
    return {name: zeep.Client(str(contract_path(f"{name}.wsdl"))) for name in DATABASES}


def test_every_soap_operation_is_tried() -> None:
    assert CASES.keys() == {(name, one.name) for name, database in DATABASES.items() for one in database.operations}


@pytest.mark.parametrize("case", CASES, ids="/".join)
def test_questions_are_written_as_zeep_writes_them(case: tuple[str, str], clients: dict[str, zeep.Client]) -> None:
    name, bodies, fixed, members = CASES[case]
    database, client = DATABASES[case[0]], clients[case[0]]
    # What the signature adds is proven elsewhere; the payload is the same.
    operation = replace(operation_of(database, case[1]), signed=False)
    codec = operation.binding.compile(operation, Site(database.name, ENDPOINT))  # type: ignore[attr-defined]
    schema = contract_schema(f"{database.name}.wsdl")
    tried = set()

    @settings(max_examples=60, deadline=None)
    @given(bodies)
    def agree(body: Tree) -> None:
        try:
            exchange = exchange_of(database, operation, body)
        except ValidationError:
            return
        tried.add(frozenset(body))
        message, expected = codec.write(exchange)
        (ours,) = parse(message.body).find("{*}Body")
        asked = {"MaYeuCau": expected.message_id, **fixed, **members(exchange.question)}
        asked = {member: value for member, value in asked.items() if value is not None}
        theirs = client.create_message(client.service, name, **asked)
        (payload,) = theirs.find("{*}Body")
        assert plain(ours) == plain(payload)
        # Names of white space or more than the contract takes are for the source to refuse.
        texts = [text for text in asked.values() if isinstance(text, str)]
        assert schema.validate(ours) or max(map(len, texts)) > 64, schema.error_log

    agree()
    assert len(tried) >= (1 if case == ("tax", "taxpayer") else 2)


serials = st.from_regex(r"[A-ZĐ]{2} ?([0-9]{6}|[0-9]{8})", fullmatch=True)
plots = st.from_regex(r"[0-9]{1,5}", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "operation", "bodies"),
    [
        (
            "TraCuuThuaDat",
            "parcel",
            described(commune=st.just("26740"), sheet=plots, parcel=plots, on=optional(days)),
        ),
        ("TraCuuGiayChungNhan", "certificate", described(serial=serials)),
    ],
)
def test_land_questions_keep_the_contract(name: str, operation: str, bodies: st.SearchStrategy[Tree]) -> None:
    schema = contract_schema("land.xsd")
    model = operation_of(land.DATABASE, operation).question
    texts = texts_of(shape_of(model))
    tried = []

    @settings(max_examples=60, deadline=None)
    @given(bodies)
    def keeps(body: Tree) -> None:
        try:
            question = model.model_validate(body)
        except ValidationError:
            return
        tried.append(body)
        inside = xml_of(texts(question))
        document = parse(f'<{name} xmlns="urn:lgsp:sandbox:datdai:1.0" requestId="1">{inside}</{name}>'.encode())
        assert schema.validate(document), schema.error_log
        said = [body[member] for member in model.model_fields if member in body]
        if "on" in body:
            said[-1] = "/".join(reversed(said[-1].split("-")))
        assert [child.text for child in document] == said

    keeps()
    assert tried
