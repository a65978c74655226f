"""How the simulated civil status registry writes its records as XML."""

from __future__ import annotations

from typing import Final

from sandbox.ngsp import day_month_year
from sandbox.wire import Writer
from sandbox.world.model import (
    Address,
    BirthRecord,
    DeathRecord,
    Entry,
    MaritalState,
    MarriageRecord,
    Parent,
    Person,
    Relative,
)
from security.xml import Element

SEX_CODES: Final = {"male": "1", "female": "2", "other": "3"}
MARITAL_CODES: Final = {"single": "1", "married": "2", "divorced": "3", "widowed": "4"}
ENDING_CODES: Final = {"divorce": "1", "death": "2"}
PERMANENT: Final = "1"


class Record:
    """Writes one `hoso`; `key` varies how what is missing looks."""

    def __init__(self, key: str) -> None:
        self._writer = Writer("", key)
        self.element = self._writer.root("hoso")

    def put(self, **columns: str | None) -> None:
        """Add columns in order; None is left out or nil."""
        for name, value in columns.items():
            self._writer.text(self.element, name, value)

    def address(self, name: str, address: Address | None) -> None:
        """Add an address of codes and detail; abroad only the detail, with the country."""
        codes = address_columns(address)
        if not any(value is not None for value in codes.values()):
            self._writer.nothing(self.element, name)
            return
        below = self._writer.below(self.element, name)
        for column, value in zip(("maTinh", "maHuyen", "maXa", "dcChiTiet"), codes.values(), strict=True):
            self._writer.text(below, column, value)

    def entry(self, entry: Entry) -> None:
        """Add where the event stands in the books."""
        self.put(
            so=entry.number,
            quyenSo=entry.book,
            trangSo=entry.page,
            ngayDangKy=day_month_year(entry.registered_on),
            loaiDangKy=entry.kind,
            noiDangKy=entry.office,
            nguoiKy=entry.signer,
            chucVuNguoiKy=entry.signer_title,
            nguoiThucHien=entry.clerk,
            ghiChu=entry.note,
        )

    def parent(self, prefix: str, parent: Parent) -> None:
        """Add a parent's columns."""
        self.relative(prefix, parent.who)
        if parent.residence is not None:
            self.put(**{f"{prefix}LoaiCuTru": PERMANENT})
        self.address(f"{prefix}NoiCuTru", parent.residence)

    def relative(self, prefix: str, who: Relative) -> None:
        """Add the columns that parents and spouses share."""
        self.put(
            **{
                f"{prefix}HoTen": who.full_name,
                f"{prefix}NgaySinh": day_month_year(who.birth),
                f"{prefix}DanToc": who.ethnicity,
                f"{prefix}QuocTich": who.nationality,
                f"{prefix}SoGiayToTuyThan": who.old_id_card,
                f"{prefix}SoDDCN": who.personal_id,
            }
        )


def address_columns(address: Address | None) -> dict[str, str | None]:
    """An address in the gateway's words; None of them is known where there is no address."""
    if address is None:
        return dict.fromkeys(("province", "district", "commune", "detail"))
    place = address.place
    if place is None:
        return {"province": None, "district": None, "commune": None, "detail": address.text}
    return {
        "province": place.province,
        "district": place.district,
        "commune": place.commune,
        "detail": address.detail,
    }


def birth_element(found: BirthRecord, child: Person) -> Element:
    """Write a birth record (khai sinh)."""
    record = Record(f"KS/{found.entry.number}/{found.entry.book}/{found.child}")
    record.entry(found.entry)
    record.put(
        nksHoTen=found.full_name,
        nksGioiTinh=SEX_CODES[found.sex],
        nksNgaySinh=day_month_year(found.birth),
        nksNgaySinhBangChu=found.birth_words,
    )
    record.address("nksNoiSinh", found.birth_place)
    record.address("nksQueQuan", found.hometown)
    record.put(nksDanToc=found.ethnicity, nksQuocTich=found.nationality, nksLoaiKhaiSinh=found.entry.kind)
    for prefix, parent in (("me", found.mother), ("cha", found.father)):
        if parent is not None:
            record.parent(prefix, parent)
    record.put(
        nycHoTen=found.declarant.full_name if found.declarant else None,
        nycQuanHe=found.declarant_relation,
        nksSoDDCN=child.personal_id,
    )
    return record.element


def marriage_element(found: MarriageRecord) -> Element:
    """Write a marriage record (kết hôn)."""
    record = Record(f"KH/{found.entry.number}/{found.entry.book}")
    record.entry(found.entry)
    record.relative("chong", found.husband)
    record.put(chongSoLanKH=str(found.husband_count))
    record.relative("vo", found.wife)
    record.put(voSoLanKH=str(found.wife_count))
    record.put(
        ngayXacLapQuanHeHonNhan=day_month_year(found.effective_on),
        huyKetHon="0",
        ngayChamDut=day_month_year(found.ended_on),
        lyDoChamDut=ENDING_CODES[found.ending] if found.ending else None,
        vanBanChamDut=found.ending_document,
    )
    return record.element


def death_element(found: DeathRecord, person: Person) -> Element:
    """Write a death record (khai tử)."""
    record = Record(f"KT/{found.entry.number}/{found.entry.book}/{found.deceased}")
    record.entry(found.entry)
    record.put(
        nktHoTen=found.full_name,
        nktGioiTinh=SEX_CODES[person.sex],
        nktNgaySinh=day_month_year(person.birth),
        nktDanToc=person.ethnicity,
        nktQuocTich=person.nationality,
        nktSoDDCN=person.personal_id,
        nktNgayChet=day_month_year(found.death.day),
        nktGioPhutChet=found.death.at.strftime("%H:%M") if found.death.at else None,
        nktNoiChet=found.death.place,
        nktNguyenNhanChet=found.death.cause,
        gbtSo=found.notice_number,
        gbtNgay=day_month_year(found.notice_on),
        gbtCoQuanCap=found.notice_issuer,
        nycHoTen=found.declarant.full_name if found.declarant else None,
    )
    return record.element


def marital_element(found: MaritalState, person: Person) -> Element:
    """Write what the books say of a marital status (tình trạng hôn nhân)."""
    record = Record(f"HN/{found.person}")
    record.put(
        soDDCN=person.personal_id,
        hoTen=person.full_name,
        tinhTrangHonNhan=MARITAL_CODES[found.status],
        tuNgay=day_month_year(found.since),
    )
    if found.marriage is not None:
        spouse = other_spouse(found.marriage, person)
        entry = found.marriage.entry
        record.put(voChongHoTen=spouse.full_name, voChongSoDDCN=spouse.personal_id)
        record.put(
            khSo=entry.number,
            khQuyenSo=entry.book,
            khNgayDangKy=day_month_year(entry.registered_on),
            khNoiDangKy=entry.office,
        )
    return record.element


def other_spouse(marriage: MarriageRecord, person: Person) -> Relative:
    """Return whom a person was married to."""
    return marriage.wife if marriage.husband.index == person.index else marriage.husband
