"""What sources may push, and how what they push is named to people, to the portal and to the audit entry."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.dossiers.contents import OWNER_KIND, OWNER_KIND_2, OwnerKind
from schemas.dossiers.models import DossierBody, DossierLine, StatusEvent, StatusLine, first_status, stream_line
from schemas.dossiers.parts import IDENTITY
from schemas.fields import Branch, Leaf, Shape, Wire, shape_of, subjects
from schemas.forms import Unmapped
from tests.test_dossier_rules.bodies import CODE, SMALLEST, STATUS, WHOLE

MODELS = (DossierBody, StatusEvent, StatusLine, DossierLine)
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def refusals(model: type[BaseModel], body: dict[str, Any]) -> list[tuple[str, str]]:
    """Place and kind of everything that is wrong with a body, the same for a mapping and for JSON."""
    found: list[list[tuple[str, str]]] = []
    readers: tuple[Callable[[], object], ...] = (
        lambda: model.model_validate(body),
        lambda: model.model_validate_json(json.dumps(body)),
    )
    for read in readers:
        try:
            read()
            found.append([])
        except ValidationError as error:
            found.append([("/".join(map(str, one["loc"])), one["type"]) for one in error.errors(include_input=False)])
    assert found[0] == found[1]
    return found[0]


def test_the_smallest_and_the_whole_dossier() -> None:
    assert refusals(DossierBody, SMALLEST) == refusals(DossierBody, WHOLE) == []
    body = DossierBody.model_validate(SMALLEST)
    assert (body.deliver, body.status, body.attachments) == (True, None, [])
    assert DossierBody.model_validate(WHOLE).model_dump(exclude_unset=True) == WHOLE
    with pytest.raises(ValidationError):
        body.procedure = "2.000001"  # type: ignore[misc]


@pytest.mark.parametrize("name", sorted(SMALLEST))
def test_what_a_dossier_is_nothing_without(name: str) -> None:
    without = {key: value for key, value in SMALLEST.items() if key != name}
    assert refusals(DossierBody, without) == [("", "value_error") if name == "received_at" else (name, "missing")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("procedure", "1.0051"),
        ("procedure", " 1.005129"),
        ("channel", "1"),
        ("owner_kind", "household"),
        ("owner_name", ""),
        ("owner_name", "a" * 501),
        ("owner_name", "An\nBình"),
        ("owner_name", 1),
        ("owner_enterprise_code", "0100109107"),
        ("summary", "s" * 1001),
        ("note", "a\x00b"),
        ("received_at", "2026-11-23T08:00:00"),
        ("due_at", "20261123080000"),
        ("due_at", 1_700_000_000),
        ("agency", "h26"),
        ("has_digitised", "1"),
        ("has_digitised", 1),
        ("status", "11"),
        ("status", 4),
        ("deliver", "false"),
        ("attachments", None),
        ("ma_ho_so", "x"),
    ],
)
def test_what_a_dossier_may_not_say(name: str, value: object) -> None:
    assert [place for place, _ in refusals(DossierBody, {**SMALLEST, name: value})] == [name]


@pytest.mark.parametrize(
    ("name", "item", "place"),
    [
        ("owner_identities", {"number": "12345678901"}, "owner_identities/0/number"),
        ("owner_identities", {"number": "001190000001", "kind": "1"}, "owner_identities/0/kind"),
        ("attachments", {"name": "a" * 4001}, "attachments/0/name"),
        ("attachments", {"name": "a", "reused": "3"}, "attachments/0/reused"),
        ("fees", {"name": "a", "amount": "-1"}, "fees/0/amount"),
        ("fees", {"name": "a", "amount": "1,5"}, "fees/0/amount"),
        ("other_papers", {"name": "a", "copies": 10_000}, "other_papers/0/copies"),
        ("supplements", {"papers": [{}]}, "supplements/0/papers/0/name"),
        ("results", {}, "results/0/name"),
        ("databases", {"code": ""}, "databases/0/code"),
    ],
)
def test_what_parts_may_not_say(name: str, item: dict[str, object], place: str) -> None:
    assert [found for found, _ in refusals(DossierBody, {**SMALLEST, name: [item]})] == [place]


def test_an_account_of_the_portal_belongs_to_online_dossiers() -> None:
    assert refusals(DossierBody, {**SMALLEST, "owner_account": "T"}) == [("", "value_error")]
    assert refusals(DossierBody, {**SMALLEST, "owner_account": "T", "channel": "online"}) == []


def test_a_status_in_the_words_of_its_source() -> None:
    event = StatusEvent.model_validate(STATUS)
    assert (event.vocabulary, event.sequence, event.at) == ("national", None, STATUS["at"])
    said = {**STATUS, "status": "đang xử lý hồ sơ", "vocabulary": "bhxh", "sequence": 1, "officer": "a" * 50}
    assert refusals(StatusEvent, {**said, "note": "Dòng một\r\n\tdòng hai"}) == []
    decomposed = "đang xử lý hồ sơ"
    assert StatusEvent.model_validate({**STATUS, "status": decomposed}).status == "đang xử lý hồ sơ"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", ""),
        ("status", 4),
        ("status", "a" * 101),
        ("vocabulary", "BHXH"),
        ("vocabulary", ""),
        ("vocabulary", None),
        ("sequence", 0),
        ("sequence", -1),
        ("sequence", "1"),
        ("sequence", 1.0),
        ("sequence", True),
        ("sequence", 10**15),
        ("at", None),
        ("at", "2026-02-29T00:00:00Z"),
        ("officer", "a" * 51),
        ("started_at", "2026-11-23 09:00:00"),
        ("key", "k"),
    ],
)
def test_what_a_status_may_not_say(name: str, value: object) -> None:
    assert [place for place, _ in refusals(StatusEvent, {**STATUS, name: value})] == [name]


def test_a_line_is_a_status_or_a_dossier() -> None:
    status = stream_line({**STATUS, "code": CODE, "key": "k"})
    assert isinstance(status, StatusLine)
    assert (status.code, status.key, status.status) == (CODE, "k", "4")
    dossier = stream_line({"code": CODE, "key": "k", "dossier": SMALLEST})
    assert isinstance(dossier, DossierLine)
    assert dossier.dossier == DossierBody.model_validate(SMALLEST)


@pytest.mark.parametrize(
    ("line", "places"),
    [
        ({"code": "x", "key": "", **STATUS}, ["code", "key"]),
        ({"code": CODE, "key": "k", "status": "4"}, ["at"]),
        ({"code": CODE, "key": "k", "dossier": {**SMALLEST, "channel": "x"}}, ["dossier/channel"]),
        ({"code": CODE, "key": "k", "dossier": SMALLEST, "status": "4"}, ["status"]),
        ({"code": "000.00.01.H26-260230-0001", "key": "k", "dossier": SMALLEST}, ["code"]),
        ({"code": CODE, "key": "khóa", **STATUS}, ["key"]),
    ],
)
def test_what_is_wrong_with_a_line_is_named_by_its_place(line: dict[str, Any], places: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        stream_line(line)
    assert ["/".join(map(str, one["loc"])) for one in caught.value.errors()] == places


@pytest.mark.parametrize(
    ("change", "status"),
    [({}, "2"), ({"received_at": None, "submitted_at": "2026-11-23T08:00:00Z"}, "1"), ({"status": "9"}, "9")],
)
def test_the_status_at_registration(change: dict[str, Any], status: str) -> None:
    assert first_status(DossierBody.model_validate({**SMALLEST, **change})) == status


def test_the_owner_is_a_subject_of_the_audit_entry() -> None:
    found: list[Any] = []
    subjects(shape_of(DossierBody), "asked")(DossierBody.model_validate(WHOLE).model_dump(), found)
    assert found == [
        ("asked", "enterprise", "0100109106"),
        ("asked", "personal-id", "001190000001"),
        ("asked", "id-card", "012345678"),
    ]


def wires(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for name, info in model.model_fields.items():
        (wire,) = [item for item in info.metadata if isinstance(item, Wire)]
        yield from ((path, name) for path in wire.paths)


def test_every_field_of_the_portal_has_one_place() -> None:
    for model in MODELS:
        places = [place for place, _ in wires(model)]
        assert len(places) == len(set(places))
    assert {
        "MaTTHC", "TenTTHC", "MaLinhVuc", "TenLinhVuc", "KenhThucHien", "SoBienNhan", "ChuHoSo", "LoaiDoiTuong",
        "MaDoiTuong", "ThongTinKhac", "Email", "Fax", "SoDienThoai", "TrichYeuHoSo", "NgayTiepNhan", "NgayHenTra",
        "NgayTuChoi", "TrangThaiHoSo", "NgayTra", "ThongTinTra", "HinhThuc", "NgayKetThucXuLy", "DonViXuLy", "GhiChu",
        "NgayNopHoSo", "NoiNopHoSo", "HoSoCoThanhPhanSoHoa", "TaiKhoanDuocXacThucVoiVNeID", "DuocThanhToanTrucTuyen",
        "TaiLieuNop", "DanhSachLePhi", "DanhSachTepDinhKemKhac", "DanhSachHoSoBoSung", "DanhSachGiayToKetQua",
        "DinhDanhCHS", "DSKetNoiCSDL",
    } == {place for place, _ in wires(DossierBody)}  # fmt: skip
    assert {
        "ThoiDiemXuLy", "PhongBanXuLy", "NguoiXuLy", "ChucDanh", "NoiDungXuLy", "TrangThai", "NgayBatDau",
        "NgayKetThucTheoQuyDinh",
    } == {place for place, _ in wires(StatusEvent)}  # fmt: skip


def leaves(shape: Shape) -> Iterator[Leaf]:
    for member in shape.members:
        if isinstance(member, Branch):
            yield from leaves(member.shape)
        else:
            yield member


def test_every_value_can_be_written_and_read_back() -> None:
    values: dict[str, Any] = {
        "channel": "post", "owner_kind": "state-agency", "number": "001190000001", "return_method": "counter",
        "submitted_to": "national-portal", "copies": 2,
    }  # fmt: skip
    for leaf in (*leaves(shape_of(DossierBody)), *leaves(shape_of(StatusEvent))):
        if not leaf.paths or leaf.name in ("sequence", "vocabulary"):
            continue
        value = values.get(leaf.name, "2026-11-23T09:00:00+07:00")
        if leaf.name in ("digitised", "from_store", "deleted", "has_digitised", "vneid_verified", "online_payment"):
            value = True
        texts = leaf.form.write(value)
        assert len(texts) == len(leaf.paths) == leaf.form.arity
        assert all(isinstance(text, str) for text in texts)
        assert leaf.form.read(*texts) == value


def test_numbers_of_the_owner_tell_their_kind_by_their_length() -> None:
    assert IDENTITY.write("001190000001") == ("1", "001190000001")
    assert IDENTITY.write("012345678") == ("2", "012345678")
    assert IDENTITY.read("2", "012345678") == "012345678"
    assert IDENTITY.read("1", None) is IDENTITY.read("1", " ") is None
    for kind, number in (("1", "012345678"), ("3", "012345678"), (None, "012345678")):
        with pytest.raises(Unmapped):
            IDENTITY.read(kind, number)


def test_a_kind_of_owner_that_a_generation_has_no_number_for_is_not_guessed() -> None:
    known: dict[OwnerKind, tuple[str | None, str | None]] = {
        "citizen": ("1", "0"),
        "enterprise": ("2", "1"),
        "state-agency": ("3", None),
        "other-organisation": ("4", None),
        "household-business": (None, "2"),
    }
    for kind, numbers in known.items():
        for form, number in zip((OWNER_KIND, OWNER_KIND_2), numbers, strict=True):
            if number is None:
                with pytest.raises(KeyError):
                    form.write(kind)
            else:
                assert form.write(kind) == (number,)


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from nodes(inner)


@each_model
def test_schemas_have_patterns_that_every_validator_understands(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    patterns = [node["pattern"] for node in nodes(schema) if isinstance(node.get("pattern"), str)]
    assert patterns
    for pattern in patterns:
        assert pattern[0] == "^"
        assert pattern[-1] == "$"
        assert not re.search(r"\(\?|\\[dwsbpDWSBP]", pattern)
    objects = [node for node in nodes(schema) if node.get("type") == "object" and "properties" in node]
    for node in objects:
        assert node["additionalProperties"] is False
        assert node["description"]
        for property_ in node["properties"].values():
            assert property_["title"]
            assert property_["description"]


@each_model
def test_no_refusal_repeats_a_value(model: type[BaseModel]) -> None:
    secret = "001190000001-Nguyễn"
    body = {name: secret for name in model.model_fields if name not in ("note", "owner_name", "officer", "unit")}
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    assert secret not in str(caught.value)
    assert all(secret not in one["msg"] for one in caught.value.errors())
