"""The declarations agree with the vendored contracts, and each way of disagreeing is found and named."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters import DATABASES, contract_check
from adapters.bindings import constant
from adapters.contract_check import Disagreement, check_contracts, contract_of
from adapters.signed_xml import SignedXml
from adapters.soap import Soap
from schemas.exchange import Database, Operation
from schemas.fields import Question, Record, said
from schemas.population import PersonQuestion, Place, RelationQuestion
from schemas.tax import Obligation, TaxpayerQuestion

BY_NAME = {database.name: database for database in DATABASES}


def declared(database: str, operation: str) -> Operation:
    found = BY_NAME[database].operation(operation)
    assert found is not None
    return found


def soap(operation: Operation) -> Soap:
    assert isinstance(operation.binding, Soap)
    return operation.binding


def judge(database: str, operation: Operation, **changes: Any) -> list[Disagreement]:
    """What is found of one operation alone, with some of its binding's settings changed."""
    binding: Any = operation.binding
    changed = replace(operation, binding=replace(binding, **changes) if changes else binding)
    return check_contracts([replace(BY_NAME[database], operations=(changed,))])


def told(found: list[Disagreement]) -> set[tuple[str, str]]:
    return {(one.place, one.text) for one in found}


def test_every_declaration_agrees_with_its_contract() -> None:
    assert check_contracts(DATABASES) == []


def test_what_has_a_contract_is_known() -> None:
    files = {(database.name, contract_of(one.binding)) for database in DATABASES for one in database.operations}
    assert files == {
        ("population", "population.wsdl"),
        ("tax", "tax.wsdl"),
        ("land", "land.xsd"),
        ("enterprise", None),
        ("social-insurance", None),
        ("civil-status", None),
    }


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"path": "/elsewhere"}, "path"),
        ({"action": "urn:ask"}, "action"),
        ({"version": "1.2"}, "request"),
        ({"request": ("http://dancuquocgia.bca", "TraCuu")}, "request"),
        ({"request": ("http://gtel.vn/qldc", "TraCuuThongTinCongDan")}, "request"),
        ({"answer": ("http://www.mic.gov.vn/dancu/1.0", "CongDan")}, "answer"),
        ({"record": "NguoiDan"}, "CongdanCollection/NguoiDan"),
        ({"echo": "Ma"}, "CongdanCollection/@Ma"),
        ({"fault": "Ma"}, "fault (Ma)"),
        ({"verdict": "MaKetQua"}, "CongdanCollection/MaKetQua (verdict)"),
        ({"verdict": "CongDan"}, "CongdanCollection/CongDan (verdict)"),
        ({"wsdl": "tax.wsdl"}, "wsdl"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_a_wrong_setting_of_a_binding_is_named(changes: dict[str, Any], place: str) -> None:
    found = judge("population", declared("population", "person"), **changes)
    assert place in {one.place for one in found}
    assert {(one.database, one.operation) for one in found} == {("population", "person")}


def test_a_missing_file_is_a_finding() -> None:
    (found,) = judge("land", declared("land", "parcel"), contract="missing.xsd")
    assert found.place == "missing.xsd"
    assert "cannot be read" in found.text


def test_what_is_given_beside_the_question_has_to_be_known_required_and_in_order() -> None:
    person = declared("population", "person")
    given = soap(person).given
    where = "TraCuuThongTinCongDan"
    assert told(judge("population", person, given=given[1:])) == {
        (f"{where}/MaYeuCau", "the contract requires it, and it is never sent")
    }
    assert told(judge("population", person, given=(given[1], given[0], *given[2:]))) == {
        (where, "MaYeuCau is written after MaDVC, the contract has it before")
    }
    assert told(judge("population", person, given=(*given, ("MaMay", constant("1"))))) == {
        (f"{where}/MaMay (given)", "the contract has no such element here")
    }
    assert told(judge("population", person, given=(*given, ("MaCanBo", constant("1"))))) == {
        (f"{where}/MaCanBo", "is written more than once")
    }
    assert told(judge("population", person, given=(*given, ("TaiKhoan/Ma", constant("1"))))) == {
        (f"{where}/TaiKhoan (given)", "one has text where the other has elements")
    }


class Backwards(Question):
    """The name before the number."""

    full_name: str | None = said("a", "a", "HoVaTen")
    personal_id: str | None = said("a", "a", "SoDinhDanh")


class Nobody(Question):
    """None of the numbers that the contract wants one of."""

    full_name: str | None = said("a", "a", "HoVaTen")


class Nested(Question):
    """An element of a date that the contract does not have, and the date asked twice."""

    year: str | None = said("a", "a", "NgayThangNamSinh/Nam")
    month: str | None = said("a", "a", "NgayThangNamSinh/Thang")
    whole: str | None = said("a", "a", "NgayThangNamSinh")


class Half(Question):
    """One of two persons may be left out, though the contract wants both."""

    personal_id: str = said("a", "a", "SoDinhDanh", required=True)
    relative_id: str | None = said("a", "a", "SoDinhDanhNguoiThan")


def test_questions_are_compared_element_by_element() -> None:
    person, match = declared("population", "person"), declared("population", "match")
    relation = declared("population", "relation")
    asked, checked = "TraCuuThongTinCongDan", "XacThucThongTinCongDan"
    assert told(judge("population", replace(person, question=Backwards))) == {
        (asked, "SoDinhDanh is written after HoVaTen, the contract has it before")
    }
    assert told(judge("population", replace(match, question=Nobody))) == {
        (checked, "the contract requires one of SoDinhDanh, SoCMND, and none is ever sent")
    }
    assert judge("population", replace(person, question=Nobody)) == []
    assert told(judge("population", replace(person, question=Nested))) == {
        (f"{asked}/NgayThangNamSinh (whole)", "one has text where the other has elements"),
        (f"{asked}/NgayThangNamSinh", "is written more than once"),
    }
    assert told(judge("population", replace(relation, question=Half))) == {
        ("XacMinhThongTinNhanThan/SoDinhDanhNguoiThan", "the contract requires it, and it is only sent sometimes")
    }
    # A question of one operation put to another, whose element lies in another namespace.
    assert judge("population", replace(relation, question=PersonQuestion))
    assert judge("population", replace(person, question=RelationQuestion))
    assert judge("tax", replace(declared("tax", "obligations"), question=TaxpayerQuestion)) == []


class Taxed(Record):
    """Places of a taxpayer's record, each read wrongly."""

    unknown: str | None = said("a", "a", "MaSo")
    office: str | None = said("a", "a", "CoQuanThue")
    representative: str | None = said("a", "a", "DanhSachDaiDien/DaiDien/HoTen")
    single: Obligation | None = said("a", "a", "DanhSachDaiDien/DaiDien")
    names: list[str] = said("a", "a", "TenNNT")
    code: Place | None = said("a", "a", "MaSoThue")
    marked: str | None = said("a", "a", "@SoCongDan")
    address: Place | None = said("a", "a", "DiaChi")


def test_answers_are_compared_place_by_place() -> None:
    found = judge("tax", replace(declared("tax", "taxpayer"), answer=Taxed))
    at = "NguoiNopThue"
    many, mixed = "may occur many times in the contract, once in the declaration", "one has text where the other has"
    assert told(found) >= {
        (f"{at}/MaSo (unknown)", "the contract has no element MaSo here"),
        (f"{at}/CoQuanThue (office)", f"{mixed} elements"),
        (f"{at}/DanhSachDaiDien/DaiDien/HoTen (representative)", many),
        (f"{at}/DanhSachDaiDien/DaiDien (single)", many),
        (f"{at}/TenNNT (names)", "may occur once in the contract, many times in the declaration"),
        (f"{at}/MaSoThue (code)", f"{mixed} elements"),
        (f"{at}/@SoCongDan (marked)", "the contract has no such attribute"),
        (f"{at}/DiaChi/MaTinhThanh (province)", "the contract has no element MaTinhThanh here"),
        (f"{at}/DanhSachDaiDien/DaiDien/KyThue (period)", "the contract has no element KyThue here"),
    }


def test_documents_without_wsdl_are_compared_too() -> None:
    parcel, space = declared("land", "parcel"), "urn:lgsp:sandbox:datdai:1.0"
    assert judge("land", parcel, request=(space, "TraCuu"))[0].place == "land.xsd"
    assert told(judge("land", parcel, record="GiayChungNhan")) == {
        ("KetQuaThuaDat/GiayChungNhan", "the contract has no element GiayChungNhan here")
    }
    assert told(judge("land", parcel, given=(("Ma", constant("1")),))) == {
        ("TraCuuThuaDat/Ma (given)", "the contract has no such element here")
    }
    # An element that is no answer has none of the attributes that make one.
    wrong = judge("land", parcel, answer=(space, "TraCuuThuaDat"), record="", verdict="")
    assert ("TraCuuThuaDat/@issuedAt", "the contract has no such attribute") in told(wrong)


_XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:d="urn:a" xmlns:o="urn:b"
  targetNamespace="urn:a" elementFormDefault="qualified">
  <xs:import namespace="urn:b" schemaLocation="{other}"/>
  <xs:element name="Ask"><xs:complexType><xs:sequence>
    <xs:element name="MaSoThue" type="xs:string"/></xs:sequence>
    <xs:attribute name="requestId" use="required"/><xs:attribute name="version" use="required"/></xs:complexType>
  </xs:element>
  <xs:element name="Told"><xs:complexType><xs:sequence maxOccurs="3">
    <xs:element ref="o:exists"/><xs:choice><xs:element name="one" type="xs:string"/></xs:choice></xs:sequence>
    <xs:attribute name="requestId"/><xs:attribute name="issuedAt"/></xs:complexType>
  </xs:element>
</xs:schema>"""
_OTHER = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:b">
  <xs:element name="exists" type="xs:string"/></xs:schema>"""


class Read(Record):
    """One member in the answer's namespace and one that is not."""

    exists: str | None = said("a", "a", "exists")
    one: str | None = said("a", "a", "one")


def test_contracts_may_lean_on_their_neighbours_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_check, "contract_path", lambda name: tmp_path / name)
    binding = SignedXml(contract="a.xsd", path="/", request=("urn:a", "Ask"), answer=("urn:a", "Told"))
    operation = replace(declared("tax", "taxpayer"), binding=binding, answer=Read)
    database = Database(name="a", title=operation.title, owner=operation.title, operations=(operation,))
    (tmp_path / "b.xsd").write_text(_OTHER)
    (tmp_path / "a.xsd").write_text(_XSD.format(other="b.xsd"))
    many = "may occur many times in the contract, once in the declaration"
    assert told(check_contracts([database])) == {
        ("Ask/@version", "the contract requires it, and it is never sent"),
        ("Told/exists (exists)", "the contract has exists in the namespace 'urn:b'"),
        ("Told/one (one)", many),
    }
    for elsewhere in ("http://localhost/b.xsd", "../b.xsd", "file:///etc/hostname"):
        (tmp_path / "a.xsd").write_text(_XSD.format(other=elsewhere))
        (found,) = check_contracts([database])
        assert found.place == "a.xsd"


def test_zeep_is_not_imported_by_what_answers_requests() -> None:
    code = "import sys, gateway, routes.application, adapters.contract_check; sys.exit('zeep' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lgsp_check_tells_what_was_compared(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "check", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={"LGSP_STORAGE__URL": f"sqlite:///{tmp_path}/a.db", "PATH": ""},
    )
    told = {one["subject"]: one for one in json.loads(done.stdout)["findings"]}
    assert told["contracts.tax"]["text"] == "the declared operations agree with tax.wsdl"
    assert told["contracts.enterprise"]["text"] == "no contract file to compare with"
    assert {told[f"contracts.{database.name}"]["level"] for database in DATABASES} == {"ok"}
