"""The National Public Service Portal (Cổng Dịch vụ công quốc gia), declared: where dossiers and their statuses go.

Nobody asks it through the gateway: it has no routes of its own, and what is sent comes from the gateway's own outbox.
Names of services, members and codes of generation 1 are those of public clients; of generation 2 one client was seen.
The path of calls, the members of a list of results, the place of the progress records (`DanhSachTienDo`) and all paths
of generation 2 are ours; `adapters.portal_login.DEFAULTS` marks each path, and the endpoint's `params` change them.
`filed` is ours altogether: a service of that name is known from another system only. It is asked where `[inbox]` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adapters.portal_binding import Portal, Way
from adapters.portal_login import PortalLogin
from schemas.dossiers.contents import OWNER_KIND_2
from schemas.errors import Text
from schemas.exchange import Database, Operation
from schemas.fields import Wire, shape_of
from schemas.forms import LOCAL_INSTANT, PORTAL_INSTANT, PORTAL_TIME, TEXT
from schemas.inbox import FiledPage, FiledQuestion
from schemas.portal import (
    Catalogue,
    CatalogueQuestion,
    Delivered,
    DossierState,
    LookUpQuestion,
    PortalDossier,
    Procedure,
    ProcedureQuestion,
    ProgressQuestion,
    RegisterQuestion,
)

_BATCH: Final = 100
"""Ours; the one client that was seen to send several sends ten."""

_CREATED: Final[Mapping[str, Wire]] = {
    "dossiers.code": Wire(("MaHoSo",), TEXT),
    "dossiers.procedure": Wire(("MaTTHC",), TEXT),
    "dossiers.owner_name": Wire(("ChuHoSo",), TEXT),
    "dossiers.owner_kind": Wire(("LoaiDoiTuong",), OWNER_KIND_2),
    "dossiers.agency": Wire(("MaDonViTiepNhan",), TEXT),
    "dossiers.submitted_at": Wire(("NgayNop",), PORTAL_TIME),
    "dossiers.received_at": Wire(("NgayTiepNhan",), PORTAL_TIME),
}
"""Create of generation 2: what is not named has no place there, or none that was seen."""

_SUBMITTER: Final = "ThongTinNguoiNop/ThongTinChiTiet"
_NAMED: Final = {"agency": Wire(("MaDonViTiepNhan",), TEXT), "owner_enterprise_code": None}
_FILED: Final[Mapping[str, Wire | None]] = {
    **_NAMED,
    "status": Wire(("TrangThai",), TEXT),
    "owner_kind": Wire(("LoaiDoiTuong",), OWNER_KIND_2),
    "submitted_at": Wire(("NgayNop",), PORTAL_TIME),
    "received_at": Wire(("NgayTiepNhan",), PORTAL_TIME),
    "phone": Wire((f"{_SUBMITTER}/SoDienThoai",), TEXT),
    "email": Wire((f"{_SUBMITTER}/Email",), TEXT),
}
"""A filed dossier of generation 2: as Create has it, the rest as in generation 1."""


def _entry(code: str, name: str, prefix: str) -> dict[str, Wire | None]:
    return {f"{prefix}.code": Wire((code,), TEXT), f"{prefix}.name": Wire((name,), TEXT)}


def _catalogue(name: str, title: Text, service: str, code: str, called: str) -> Operation:
    return Operation(
        name=name,
        title=title,
        question=CatalogueQuestion,
        answer=Catalogue,
        binding=Portal(first=Way(path="path", service=service, answer=_entry(code, called, "entries"))),
    )


PORTAL: Final = Database(
    name="portal",
    title=Text("Cổng Dịch vụ công quốc gia", "National Public Service Portal"),
    owner=Text("Cơ quan vận hành Cổng Dịch vụ công quốc gia", "Operator of the National Public Service Portal"),
    operations=(
        Operation(
            name="register",
            title=Text("Đồng bộ hồ sơ", "Create or replace dossiers"),
            question=RegisterQuestion,
            answer=Delivered,
            binding=Portal(
                elements="dossiers",
                first=Way(path="path", service="DongBoHoSoMC", empty=(LOCAL_INSTANT,), batch=_BATCH),
                second=Way(
                    path="create_path",
                    question={
                        "updating": None,
                        **{f"dossiers.{member.name}": None for member in shape_of(PortalDossier).members},
                        **_CREATED,
                    },
                    numbers=frozenset({"dossiers.owner_kind"}),
                    listed="data",
                    single=True,
                ),
            ),
            repeatable=False,
        ),
        Operation(
            name="progress",
            title=Text("Cập nhật tiến độ hồ sơ", "Add steps to dossiers"),
            question=ProgressQuestion,
            answer=Delivered,
            binding=Portal(
                elements="steps",
                first=Way(path="path", service="CapNhatTienDoHoSoMC", empty=(LOCAL_INSTANT,), batch=_BATCH),
                second=Way(
                    path="progress_path",
                    question={
                        "steps.at": Wire(("ThoiDiemXuLy",), PORTAL_INSTANT),
                        "steps.started_at": Wire(("NgayBatDau",), PORTAL_INSTANT),
                        "steps.due_at": Wire(("NgayKetThucTheoQuyDinh",), PORTAL_INSTANT),
                    },
                    numbers=frozenset({"steps.status"}),
                    listed="data",
                    batch=_BATCH,
                ),
            ),
            repeatable=False,
        ),
        Operation(
            name="look-up",
            title=Text("Tra cứu hồ sơ", "Look up a dossier and its steps"),
            question=LookUpQuestion,
            answer=DossierState,
            binding=Portal(
                first=Way(path="path", service="TraCuuHoSo", record="result"),
                second=Way(
                    path="lookup_path",
                    question={"code": Wire(("MaHoSo",), TEXT)},
                    answer={
                        "status": Wire(("TrangThai",), TEXT),
                        "submitted_at": Wire(("NgayNop",), PORTAL_TIME),
                        "received_at": Wire(("NgayTiepNhan",), PORTAL_TIME),
                        "steps.at": Wire(("ThoiDiemXuLy",), PORTAL_INSTANT),
                    },
                    record="data",
                ),
            ),
        ),
        Operation(
            name="filed",
            title=Text("Lấy danh sách hồ sơ nộp tại Cổng", "List the dossiers filed at the portal"),
            question=FiledQuestion,
            answer=FiledPage,
            binding=Portal(
                first=Way(
                    path="path",
                    service="LayDanhSachHoSo",
                    service_param="filed_service",
                    answer=_NAMED,
                    record="result",
                    cursor="tiepTheo",
                ),
                second=Way(
                    path="filed_path",
                    answer=_FILED,
                    numbers=frozenset({"limit"}),
                    record="data/danhSach",
                    cursor="data/tiepTheo",
                ),
            ),
        ),
        Operation(
            name="procedure",
            title=Text("Lấy thông tin thủ tục hành chính", "Describe a procedure"),
            question=ProcedureQuestion,
            answer=Procedure,
            binding=Portal(
                first=Way(
                    path="path",
                    service="LayThuTuc",
                    answer=_entry("MALINHVUC", "TENLINHVUC", "fields") | _entry("MAKETQUA", "TENKETQUA", "results"),
                    record="result",
                )
            ),
        ),
        _catalogue(
            "procedures",
            Text("Lấy danh sách thủ tục hành chính", "List the procedures"),
            "LayDanhSachTTHC",
            "MATTHC",
            "TENTTHC",
        ),
        _catalogue(
            "fields",
            Text("Lấy danh mục lĩnh vực", "List the fields of work"),
            "LayDanhMucLinhVuc",
            "MALINHVUC",
            "TENLINHVUC",
        ),
        _catalogue(
            "agencies", Text("Lấy danh mục cơ quan", "List the agencies"), "LayDanhMucCoQuan", "MADONVI", "TENDONVI"
        ),
    ),
    logins={"portal": PortalLogin()},
)


def at_endpoint(name: str) -> Database:
    """Return the portal as it is reached through another endpoint, by whose name it goes."""
    return replace(PORTAL, name=name, logins={name: PortalLogin()})
