"""How the population database of the sandbox writes a citizen: the elements of CongDan in the order of its WSDL.

The name is split for some and all in Ten for others; what is not known is left out, nil or blank.
"""

from __future__ import annotations

from sandbox.wire import Writer
from sandbox.world.model import Address, PartialDate, Person, Relative
from sandbox.world.world import World
from security.xml import Element

NAMESPACE = "http://www.mic.gov.vn/dancu/1.0"

SEX = {"male": "1", "female": "2", "other": "3"}
_MARITAL = {"single": "1", "married": "2", "divorced": "3", "widowed": "4"}
_BLOOD = {"A": "01", "B": "02", "AB": "03", "O": "04"}
_IN_HOUSEHOLD = {"head": "01", "spouse": "02", "child": "03", "father": "04", "mother": "05", "relative": "99"}


def write_citizen(world: World, collection: Element, person: Person, number: int) -> None:
    """Add a CongDan; `number` is its place within the answer."""
    writer = Writer(NAMESPACE, person.personal_id or person.old_id_card or "")
    citizen = writer.below(
        collection,
        "CongDan",
        SoCongDan=str(number),
        GhiChu=person.note,
        ThoiDiemDuLieu=f"{person.updated_on:%Y%m%d}000000",
    )
    writer.text(citizen, "SoDinhDanh", person.personal_id)
    writer.text(citizen, "SoCMND", person.old_id_card)
    _name(writer, citizen, person.full_name, split=person if person.index % 3 == 0 else None)
    writer.text(citizen, "TenGoiKhac", person.other_name, blank=True)
    writer.text(citizen, "GioiTinh", SEX[person.sex])
    writer.text(citizen, "DanToc", person.ethnicity, blank=True)
    writer.text(citizen, "TonGiao", person.religion, blank=True)
    writer.text(citizen, "TinhTrangHonNhan", _MARITAL[person.marital])
    writer.text(citizen, "NhomMau", _BLOOD[person.blood_group] if person.blood_group else _no_blood(person))
    _date(writer, citizen, "NgayThangNamSinh", person.birth)
    death = person.death
    _date(writer, citizen, "NgayChetMatTich", _whole(death.day.isoformat()) if death else None)
    _place(writer, citizen, "NoiDangKyKhaiSinh", person.birth_place)
    _place(writer, citizen, "QueQuan", person.hometown)
    _place(writer, citizen, "ThuongTru", person.permanent)
    _place(writer, citizen, "NoiOHienTai", person.current)
    writer.text(citizen, "QuocTich", person.nationality)
    _relative(writer, citizen, "Cha", person.father)
    _relative(writer, citizen, "Me", person.mother)
    _relative(writer, citizen, "VoChong", person.spouse)
    _relative(writer, citizen, "NguoiDaiDien", person.representative)
    _head(world, writer, citizen, person)
    writer.text(citizen, "SoSoHoKhau", person.household, blank=True)


def _head(world: World, writer: Writer, citizen: Element, person: Person) -> None:
    household = world.household(person.household) if person.household else None
    if household is None or person.relation is None:
        writer.nothing(citizen, "ChuHo")
        return
    head = world.person(household.head)
    place = writer.below(citizen, "ChuHo")
    writer.text(place, "QuanHe", _IN_HOUSEHOLD[person.relation])
    _name(writer, place, head.full_name)
    writer.text(place, "SoDinhDanh", head.personal_id)
    writer.text(place, "SoCMND", head.old_id_card)


def _whole(day: str) -> PartialDate:
    return PartialDate(*map(int, day.split("-")))


def written(day: PartialDate) -> str:
    """A date as far as it is known, digits only: yyyyMMdd, yyyyMM or yyyy."""
    return day.text.replace("-", "")


def _no_blood(person: Person) -> str | None:
    return "00" if person.index % 2 else None


def _date(writer: Writer, parent: Element, name: str, day: PartialDate | None) -> None:
    if day is None:
        writer.nothing(parent, name)
        return
    place = writer.below(parent, name)
    if day.month is None:
        writer.text(place, "Nam", written(day))
    else:
        writer.text(place, "NgayThangNam", written(day))


def _name(writer: Writer, parent: Element, full_name: str, split: Person | None = None) -> None:
    place = writer.below(parent, "HoVaTen")
    if split is None:
        writer.text(place, "Ten", full_name)
        return
    writer.text(place, "Ho", split.surname)
    writer.text(place, "ChuDem", split.middle)
    writer.text(place, "Ten", split.given)


def _place(writer: Writer, parent: Element, name: str, address: Address) -> None:
    place, held = writer.below(parent, name), address.place
    writer.text(place, "MaTinhThanh", held.province if held else None)
    writer.text(place, "MaQuanHuyen", held.district if held else None, blank=True)
    writer.text(place, "MaPhuongXa", held.commune if held else None)
    writer.text(place, "ChiTiet", address.detail, blank=True)
    writer.text(place, "QuocGia", address.country)


def _relative(writer: Writer, parent: Element, name: str, relative: Relative | None) -> None:
    if relative is None:
        writer.nothing(parent, name)
        return
    place = writer.below(parent, name)
    _name(writer, place, relative.full_name)
    writer.text(place, "QuocTich", relative.nationality)
    writer.text(place, "SoDinhDanh", relative.personal_id)
    writer.text(place, "SoCMND", relative.old_id_card)
