"""The national population database (CSDL quốc gia về dân cư, C06 - Bộ Công an), SOAP 1.1, signed both ways."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.bindings import Param, constant, message_id
from adapters.notices import number_notices
from adapters.schemes import HashedBasic
from adapters.soap import Soap
from schemas import population as p
from schemas.errors import Text, UpstreamRefused, UpstreamUnavailable
from schemas.exchange import Data, Database, Notice, Operation
from schemas.fields import Question

_ASKED = "http://dancuquocgia.bca"
_ANSWERED = "http://www.mic.gov.vn/dancu/1.0"
_RELATIVES = "http://gtel.vn/qldc"

_FAULTS = {
    "SaiCuPhap": UpstreamRefused,
    "SaiChuKy": UpstreamRefused,
    "KhongCoQuyen": UpstreamRefused,
    "TrungYeuCau": UpstreamRefused,
    "LoiHeThong": UpstreamUnavailable,
}


def _soap(integration: str, request: tuple[str, str], answer: tuple[str, str], record: str = "") -> Soap:
    return Soap(
        version="1.1",
        wsdl="population.wsdl",
        path="/dancu",
        action="",
        request=request,
        answer=answer,
        record=record,
        given=(
            ("MaYeuCau", message_id),
            ("MaDVC", Param("MaDVC", "LGSP")),
            ("MaTichHop", constant(integration)),
            ("MaCanBo", Param("MaCanBo", officer=True)),
        ),
        echo="MaYeuCau",
        fault="MaLoi",
    )


def _mismatches(question: Question, data: Data) -> Iterator[Notice]:
    return number_notices(data)


DATABASE = Database(
    name="population",
    title=Text("Cơ sở dữ liệu quốc gia về dân cư", "National population database"),
    owner=Text("Bộ Công an", "Ministry of Public Security"),
    wsdl="population.wsdl",
    logins={"population": HashedBasic()},
    operations=(
        Operation(
            name="person",
            title=Text("Tra cứu thông tin công dân", "Look up a citizen"),
            question=p.PersonQuestion,
            answer=p.Person,
            binding=_soap("037", (_ASKED, "TraCuuThongTinCongDan"), (_ANSWERED, "CongdanCollection"), "CongDan"),
            signed=True,
            faults=_FAULTS,
            examine=_mismatches,
        ),
        Operation(
            name="match",
            title=Text("Xác thực thông tin công dân", "Check claimed data against a citizen's record"),
            question=p.MatchQuestion,
            answer=p.Match,
            binding=_soap("003", (_ASKED, "XacThucThongTinCongDan"), (_ANSWERED, "XacThucThongTinCongDanResponse")),
            signed=True,
            faults=_FAULTS,
        ),
        Operation(
            name="relation",
            title=Text("Xác minh thông tin nhân thân", "Verify the relation of two persons"),
            question=p.RelationQuestion,
            answer=p.RelationAnswer,
            binding=_soap(
                "037", (_RELATIVES, "XacMinhThongTinNhanThan"), (_RELATIVES, "XacMinhThongTinNhanThanResponse")
            ),
            signed=True,
            faults=_FAULTS,
        ),
    ),
)
