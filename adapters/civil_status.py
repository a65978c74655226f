"""Civil status (Cơ sở dữ liệu hộ tịch điện tử), declared.

Spoken through NGSP `apiHoTichTuPhap`: JSON whose `data` is an XML string. `trangThai` is 1 or 0, and with 0 `maLoi`
holds one of the published error codes; the paths of the look-ups are this profile's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.bindings import Param, XmlInJson, constant
from adapters.notices import number_notices
from adapters.schemes import ClientCredentials
from schemas.civil_status import (
    Birth,
    BirthQuestion,
    Death,
    DeathQuestion,
    MaritalStatus,
    MaritalStatusQuestion,
    Marriage,
    MarriageQuestion,
)
from schemas.errors import NoRecord, Text, UpstreamRefused
from schemas.exchange import Data, Database, Notice, Operation
from schemas.fields import Question

FAULTS = {
    "201": NoRecord,
    # Authentication, address, agency, province, state of the record, type of data: nothing that the caller can change.
    **dict.fromkeys(("100", "101", "106", "108", "200", "302", "500"), UpstreamRefused),
}


def lookup(operation: str, module: str) -> XmlInJson:
    """Bind one look-up; `module` is the source's code of the kind of record."""
    return XmlInJson(
        method="POST",
        path=f"/apiHoTichTuPhap/{operation}",
        given=(("maDonVi", Param("maDonVi")), ("module", constant(module))),
        verdict="maLoi",
        accepted=frozenset({""}),
        status="trangThai",
        done=frozenset({"1"}),
        root="hotich",
        record="hoso",
    )


def mismatches(question: Question, data: Data) -> Iterator[Notice]:
    """Warn where a personal number disagrees with sex or birth as registered."""
    return number_notices(data)


DATABASE = Database(
    name="civil-status",
    title=Text("Cơ sở dữ liệu hộ tịch điện tử toàn quốc", "National civil status database"),
    owner=Text("Bộ Tư pháp", "Ministry of Justice"),
    operations=(
        Operation(
            name="birth",
            title=Text("Tra cứu khai sinh", "Look up a birth record"),
            question=BirthQuestion,
            answer=Birth,
            binding=lookup("traCuuKhaiSinh", "KS"),
            faults=FAULTS,
            examine=mismatches,
        ),
        Operation(
            name="marriage",
            title=Text("Tra cứu kết hôn", "Look up the latest marriage of a person"),
            question=MarriageQuestion,
            answer=Marriage,
            binding=lookup("traCuuKetHon", "KH"),
            faults=FAULTS,
        ),
        Operation(
            name="death",
            title=Text("Tra cứu khai tử", "Look up a death record"),
            question=DeathQuestion,
            answer=Death,
            binding=lookup("traCuuKhaiTu", "KT"),
            faults=FAULTS,
            examine=mismatches,
        ),
        Operation(
            name="marital-status",
            title=Text("Tra cứu tình trạng hôn nhân", "Look up a marital status"),
            question=MaritalStatusQuestion,
            answer=MaritalStatus,
            binding=lookup("traCuuTinhTrangHonNhan", "HN"),
            faults=FAULTS,
        ),
    ),
    logins={"civil-status": ClientCredentials()},
)
