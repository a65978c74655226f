"""How the simulated civil status registry writes its records as XML, and what the gateway must make of them."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

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
KINDS: Final = {"1": "in-time", "2": "late", "3": "again"}
PERMANENT: Final = "1"


def _iso(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


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


def entry_truth(entry: Entry) -> dict[str, Any]:
    """What the gateway must answer of an entry in the books."""
    return {
        "number": entry.number,
        "book": entry.book,
        "page": entry.page,
        "registered_on": _iso(entry.registered_on),
        "kind": KINDS[entry.kind],
        "office": entry.office,
        "signer": entry.signer,
        "signer_title": entry.signer_title,
        "clerk": entry.clerk,
        "note": entry.note,
    }


def _parent_truth(prefix: str, parent: Parent | None) -> dict[str, Any]:
    who = parent.who if parent else None
    residence = parent.residence if parent else None
    return {
        **_relative_truth(prefix, who),
        f"{prefix}_residence_kind": "permanent" if residence else None,
        f"{prefix}_residence": _address_truth(residence),
    }


def _relative_truth(prefix: str, who: Relative | None) -> dict[str, Any]:
    return {
        f"{prefix}_full_name": who.full_name if who else None,
        f"{prefix}_birth_date": who.birth.text if who and who.birth else None,
        f"{prefix}_ethnicity": who.ethnicity if who else None,
        f"{prefix}_nationality": who.nationality if who else None,
        f"{prefix}_document_number": who.old_id_card if who else None,
        f"{prefix}_personal_id": who.personal_id if who else None,
    }


def _address_truth(address: Address | None) -> dict[str, Any] | None:
    found = address_columns(address)
    return found if any(value is not None for value in found.values()) else None


def birth_truth(found: BirthRecord, child: Person) -> dict[str, Any]:
    """What the gateway must answer for a birth record."""
    return {
        **entry_truth(found.entry),
        "personal_id": child.personal_id,
        "full_name": found.full_name,
        "sex": found.sex,
        "birth_date": found.birth.text,
        "birth_date_words": found.birth_words,
        "birth_place": _address_truth(found.birth_place),
        "hometown": _address_truth(found.hometown),
        "ethnicity": found.ethnicity,
        "nationality": found.nationality,
        **_parent_truth("mother", found.mother),
        **_parent_truth("father", found.father),
        "declarant_name": found.declarant.full_name if found.declarant else None,
        "declarant_relation": found.declarant_relation,
    }


def marriage_truth(found: MarriageRecord) -> dict[str, Any]:
    """What the gateway must answer for a marriage record."""
    return {
        **entry_truth(found.entry),
        "effective_on": _iso(found.effective_on),
        **_relative_truth("husband", found.husband),
        "husband_marriages": found.husband_count,
        **_relative_truth("wife", found.wife),
        "wife_marriages": found.wife_count,
        "annulled": False,
        "ended_on": _iso(found.ended_on),
        "ending": found.ending,
        "ending_document": found.ending_document,
    }


def death_truth(found: DeathRecord, person: Person) -> dict[str, Any]:
    """What the gateway must answer for a death record."""
    return {
        **entry_truth(found.entry),
        "personal_id": person.personal_id,
        "full_name": found.full_name,
        "sex": person.sex,
        "birth_date": person.birth.text,
        "ethnicity": person.ethnicity,
        "nationality": person.nationality,
        "died_on": _iso(found.death.day),
        "died_at": found.death.at.isoformat("minutes") if found.death.at else None,
        "place": found.death.place,
        "cause": found.death.cause,
        "notice_number": found.notice_number,
        "notice_on": _iso(found.notice_on),
        "notice_issuer": found.notice_issuer,
        "declarant_name": found.declarant.full_name if found.declarant else None,
    }


def marital_truth(found: MaritalState, person: Person) -> dict[str, Any]:
    """What the gateway must answer of a marital status."""
    marriage = found.marriage
    spouse = None if marriage is None else other_spouse(marriage, person)
    entry = None if marriage is None else marriage.entry
    return {
        "personal_id": person.personal_id,
        "full_name": person.full_name,
        "status": found.status,
        "since": _iso(found.since),
        "spouse_full_name": spouse.full_name if spouse else None,
        "spouse_personal_id": spouse.personal_id if spouse else None,
        "marriage_number": entry.number if entry else None,
        "marriage_book": entry.book if entry else None,
        "marriage_registered_on": _iso(entry.registered_on) if entry else None,
        "marriage_office": entry.office if entry else None,
    }
