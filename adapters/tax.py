"""The taxpayer register (cơ sở dữ liệu thuế, Cục Thuế), SOAP 1.2, signed both ways; the profile is ours."""

from __future__ import annotations

from adapters.bindings import Param, message_id
from adapters.soap import Soap
from schemas import tax as t
from schemas.errors import NoRecord, Text, UpstreamRefused, UpstreamUnavailable
from schemas.exchange import Database, Operation

_FAULTS = {
    "01": NoRecord,
    "02": UpstreamRefused,
    "03": UpstreamRefused,
    "04": UpstreamRefused,
    "99": UpstreamUnavailable,
}


def _soap(name: str, record: str) -> Soap:
    return Soap(
        version="1.2",
        wsdl="tax.wsdl",
        path="/thue",
        action="",
        request=(t.NAMESPACE, name),
        answer=(t.NAMESPACE, f"{name}Response"),
        record=record,
        given=(("MaYeuCau", message_id), ("MaHeThong", Param("MaHeThong", "LGSP"))),
        echo="MaYeuCau",
        verdict="MaKetQua",
        accepted=frozenset({t.OK}),
        fault="MaLoi",
    )


DATABASE = Database(
    name="tax",
    title=Text("Cơ sở dữ liệu thuế", "Taxpayer register"),
    owner=Text("Bộ Tài chính (Cục Thuế)", "Ministry of Finance (Department of Taxation)"),
    wsdl="tax.wsdl",
    operations=(
        Operation(
            name="taxpayer",
            title=Text("Tra cứu người nộp thuế", "Look up a taxpayer"),
            question=t.TaxpayerQuestion,
            answer=t.Taxpayer,
            binding=_soap("TraCuuNguoiNopThue", "NguoiNopThue"),
            signed=True,
            faults=_FAULTS,
        ),
        Operation(
            name="obligations",
            title=Text("Tra cứu nghĩa vụ thuế", "Look up tax obligations"),
            question=t.ObligationsQuestion,
            answer=t.Obligations,
            binding=_soap("TraCuuNghiaVuThue", "NghiaVuThue"),
            signed=True,
            faults=_FAULTS,
        ),
    ),
)
