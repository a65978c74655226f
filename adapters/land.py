"""The land database (cơ sở dữ liệu đất đai): XML over HTTP with signed answers; the profile is ours."""

from __future__ import annotations

from adapters.schemes import PasswordGrant
from adapters.signed_xml import SignedXml
from schemas import land as d
from schemas.errors import NoRecord, Text, UpstreamRefused, UpstreamUnavailable
from schemas.exchange import Database, Operation

_FAULTS = {"01": NoRecord, "02": UpstreamRefused, "99": UpstreamUnavailable}


def _signed(path: str, request: str, answer: str, record: str) -> SignedXml:
    return SignedXml(
        contract="land.xsd",
        path=path,
        request=(d.NAMESPACE, request),
        answer=(d.NAMESPACE, answer),
        record=record,
        verdict="MaKetQua",
        accepted=frozenset({d.OK}),
    )


DATABASE = Database(
    name="land",
    title=Text("Cơ sở dữ liệu quốc gia về đất đai", "National land database"),
    owner=Text("Bộ Nông nghiệp và Môi trường", "Ministry of Agriculture and Environment"),
    logins={"land": PasswordGrant(path="/oauth/token")},
    operations=(
        Operation(
            name="parcel",
            title=Text("Tra cứu thửa đất", "Look up a parcel"),
            question=d.ParcelQuestion,
            answer=d.Parcel,
            binding=_signed("/thua-dat/tra-cuu", "TraCuuThuaDat", "KetQuaThuaDat", "ThuaDat"),
            signed=True,
            faults=_FAULTS,
        ),
        Operation(
            name="certificate",
            title=Text("Tra cứu giấy chứng nhận quyền sử dụng đất", "Look up a certificate of land use rights"),
            question=d.CertificateQuestion,
            answer=d.LandCertificate,
            binding=_signed("/giay-chung-nhan/tra-cuu", "TraCuuGiayChungNhan", "KetQuaGiayChungNhan", "GiayChungNhan"),
            signed=True,
            faults=_FAULTS,
        ),
    ),
)
