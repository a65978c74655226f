"""Questions and answers of the enterprise registration database (đăng ký doanh nghiệp).

Names at the source are those of the NGSP service `apiCSDLDKDN` 1.0 (guide of a province's sharing platform, and public
client code). The two meanings that no public text gives are this profile's own: the numbers in ENTERPRISE_TYPE_ID and
ENTERPRISE_STATUS_ID, and the words in PROCESS_STATUS. Codes of places are the registry's own ids, not those of the
statistics office.
"""

from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from schemas.fields import Question, Record, said
from schemas.forms import DAY_MONTH_YEAR, DECIMAL, INTEGER, codes, flag
from schemas.identifiers import EnterpriseCode, Subject
from schemas.values import Decimal, PartialDate

EnterpriseNumber = Annotated[str, Subject("enterprise", personal=False)]
IdentityDocument = Annotated[str, Subject("identity-document")]
"""A number of an identity paper whose kind the source does not tell: 12 digits, 9 digits or a passport."""

JournalNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}$")]

EnterpriseType = Literal["single-member-llc", "multi-member-llc", "joint-stock", "private", "branch"]
EnterpriseStatus = Literal["active", "suspended", "dissolving", "dissolved", "bankrupt"]
ProcessStatus = Literal["received", "processing", "supplement-required", "approved", "refused", "withdrawn"]

TYPES: Final = codes(
    {
        "1": "single-member-llc",
        "2": "multi-member-llc",
        "3": "joint-stock",
        "4": "private",
        "5": "branch",
    }
)
STATUSES: Final = codes(
    {
        "1": "active",
        "2": "suspended",
        "3": "dissolving",
        "4": "dissolved",
        "5": "bankrupt",
    }
)
PROCESS_STATUSES: Final = codes(
    {
        "RECEIVED": "received",
        "PROCESSING": "processing",
        "SUPPLEMENT": "supplement-required",
        "APPROVED": "approved",
        "REFUSED": "refused",
        "WITHDRAWN": "withdrawn",
    }
)
SEXES: Final = codes({"M": "male", "F": "female"})


class EnterpriseQuestion(Question):
    """Which enterprise: by its code (mã số doanh nghiệp, also its tax code)."""

    code: EnterpriseCode = said(
        "Mã số doanh nghiệp",
        "Enterprise code, 10 digits, or 13 for a branch",
        "msdn",
        required=True,
        examples=["0100109106"],
    )


class HeadOffice(Record):
    """Address of the head office (địa chỉ trụ sở chính)."""

    province_id: str | None = said("Mã tỉnh của cơ quan đăng ký", "Province, the registry's own id", "CityID")
    province_name: str | None = said("Tên tỉnh, thành phố", "Name of the province", "CityName")
    district_id: str | None = said(
        "Mã huyện của cơ quan đăng ký", "District, the registry's own id; null since districts ended", "DistrictID"
    )
    district_name: str | None = said("Tên quận, huyện", "Name of the district", "DistrictName")
    commune_id: str | None = said("Mã xã của cơ quan đăng ký", "Commune, the registry's own id", "WardID")
    commune_name: str | None = said("Tên xã, phường", "Name of the commune", "WardName")
    street: str | None = said("Số nhà, đường, thôn", "House number, street, hamlet", "StreetNumber")
    full_text: str | None = said("Địa chỉ đầy đủ", "The whole address as one text", "AddressFullText")


class Activity(Record):
    """One line of business (ngành nghề kinh doanh)."""

    code: str | None = said("Mã ngành", "Code of the line of business", "CODE")
    name: str | None = said("Tên ngành", "Name of the line of business", "NAME")
    main: bool | None = said("Ngành chính", "Whether this is the main line", "IS_MAIN", flag("Y", "N"))


class Member(Record):
    """One contributing member (thành viên góp vốn)."""

    name: str | None = said("Tên thành viên", "Name of the member", "MEMBER_NAME")
    amount: Decimal | None = said("Vốn góp", "Contribution in VND, a decimal", "AMOUNT", DECIMAL)
    ratio_percent: Decimal | None = said(
        "Tỷ lệ vốn góp", "Share of the capital in percent, a decimal", "RATIO_PERCENT", DECIMAL
    )
    country: str | None = said("Quốc gia", "Country of the member", "COUNTRY")


class Representative(Record):
    """One legal representative (người đại diện theo pháp luật)."""

    full_name: str | None = said("Họ và tên", "Full name", "FULL_NAME")
    sex: Literal["male", "female"] | None = said("Giới tính", "Sex: male or female", "GENDER_ID", SEXES)
    birth_date: PartialDate | None = said("Ngày sinh", "Date of birth", "DATE_OF_BIRTH", DAY_MONTH_YEAR)
    document_number: IdentityDocument | None = said("Số giấy tờ pháp lý", "Number of the identity paper", "PERS_DOC_NO")
    document_issued_on: PartialDate | None = said(
        "Ngày cấp giấy tờ", "Day the paper was issued", "PERS_DOC_ISSUE_DATE", DAY_MONTH_YEAR
    )
    nationality: str | None = said("Quốc tịch", "Nationality, in words", "NATIONALITY_NAME")
    position: str | None = said("Chức danh", "Position in the enterprise", "POSITION_NAME")


class Enterprise(Record):
    """One enterprise or branch as registered now (thông tin chi tiết doanh nghiệp)."""

    registry_id: str | None = said("ID của doanh nghiệp", "The registry's own number", "MainInformation/ENTERPRISE_ID")
    internal_code: str | None = said("Mã số nội bộ", "The registry's internal code", "MainInformation/ENTERPRISE_CODE")
    code: EnterpriseNumber | None = said(
        "Mã số doanh nghiệp", "Enterprise code, also the tax code", "MainInformation/ENTERPRISE_GDT_CODE"
    )
    old_business_code: str | None = said(
        "Số giấy chứng nhận ĐKKD cũ", "Number of the former business certificate", "MainInformation/IMP_BUSINESS_CODE"
    )
    type: EnterpriseType | None = said(
        "Loại hình doanh nghiệp",
        "Type: single-member-llc, multi-member-llc, joint-stock, private or branch",
        "MainInformation/ENTERPRISE_TYPE_ID",
        TYPES,
    )
    type_name: str | None = said(
        "Tên loại hình doanh nghiệp", "Type in the registry's own words", "MainInformation/ENTERPRISE_TYPE_NAME"
    )
    name: str | None = said("Tên tiếng Việt", "Name in Vietnamese", "MainInformation/NAME")
    short_name: str | None = said("Tên viết tắt", "Short name", "MainInformation/SHORT_NAME")
    foreign_name: str | None = said("Tên tiếng nước ngoài", "Name in a foreign language", "MainInformation/NAME_F")
    founded_on: PartialDate | None = said(
        "Ngày thành lập", "Day of foundation", "MainInformation/FOUNDING_DATE", DAY_MONTH_YEAR
    )
    amended_on: PartialDate | None = said(
        "Ngày đăng ký thay đổi gần nhất",
        "Day of the latest amendment",
        "MainInformation/LAST_AMEND_DATE",
        DAY_MONTH_YEAR,
    )
    amendments: int | None = said(
        "Số lần đăng ký thay đổi", "Number of amendments", "MainInformation/NUMBER_CHANGES", INTEGER
    )
    status: EnterpriseStatus | None = said(
        "Tình trạng hoạt động",
        "Status: active, suspended, dissolving, dissolved or bankrupt",
        "MainInformation/ENTERPRISE_STATUS_ID",
        STATUSES,
    )
    status_name: str | None = said(
        "Tên tình trạng hoạt động", "Status in the registry's own words", "MainInformation/ENTERPRISE_STATUS_NAME"
    )
    legal_names: str | None = said(
        "Tên người đại diện theo pháp luật",
        "Names of the legal representatives, separated by semicolons",
        "MainInformation/LEGAL_NAMES",
    )
    capital: Decimal | None = said("Vốn điều lệ", "Charter capital in VND", "MainInformation/CAPITAL_AMOUNT", DECIMAL)
    head_office: HeadOffice | None = said("Địa chỉ trụ sở chính", "Address of the head office", "HOAdress")
    activities: list[Activity] = said("Ngành nghề kinh doanh", "Lines of business", "BusinessActivity", default=[])
    members: list[Member] = said("Thành viên góp vốn", "Contributing members", "Member", default=[])
    representatives: list[Representative] = said(
        "Người đại diện theo pháp luật",
        "Legal representatives",
        "Representatives",
        default=[],
        note="Always a list here; the source sends an object for one and a list for several",
    )


class RegistrationStatusQuestion(Question):
    """Which registration dossier: by its receipt number (mã số biên nhận)."""

    journal_number: JournalNumber = said(
        "Mã số biên nhận hồ sơ",
        "Receipt number of the registration dossier",
        "in_journal_no",
        required=True,
        examples=["1000001"],
    )


class RegistrationStatus(Record):
    """How far a registration dossier has come (tình trạng xử lý hồ sơ đăng ký doanh nghiệp)."""

    journal_number: str | None = said(
        "Mã số biên nhận hồ sơ", "Receipt number of the dossier", "MainInformation/IN_JOURNAL_NO"
    )
    document_type: str | None = said(
        "Loại hồ sơ đăng ký", "What is registered, in the registry's own words", "MainInformation/DOCUMENT_TYPE"
    )
    enterprise_code: EnterpriseNumber | None = said(
        "Mã số doanh nghiệp", "Enterprise code, once there is one", "MainInformation/ENTERPRISE_GDT_CODE"
    )
    enterprise_name: str | None = said("Tên doanh nghiệp", "Name of the enterprise", "MainInformation/NAME")
    enterprise_type: EnterpriseType | None = said(
        "Loại hình doanh nghiệp", "Type, as in `enterprise`", "MainInformation/ENTERPRISE_TYPE_ID", TYPES
    )
    office_id: str | None = said("Mã cơ quan đăng ký", "Registering office, its own id", "MainInformation/SITE_ID")
    received_on: PartialDate | None = said(
        "Ngày tiếp nhận", "Day of receipt", "MainInformation/RECEIPT_DATE", DAY_MONTH_YEAR
    )
    due_on: PartialDate | None = said(
        "Ngày hẹn trả", "Day the result is promised", "MainInformation/PLAN_DATE", DAY_MONTH_YEAR
    )
    status: ProcessStatus | None = said(
        "Tình trạng xử lý",
        "Status: received, processing, supplement-required, approved, refused or withdrawn",
        "MainInformation/PROCESS_STATUS",
        PROCESS_STATUSES,
    )
    approved_on: PartialDate | None = said(
        "Ngày chấp thuận", "Day of approval", "MainInformation/REGISTRATION_DATE", DAY_MONTH_YEAR
    )
    supplemented_on: PartialDate | None = said(
        "Ngày nhận hồ sơ bổ sung", "Day supplements were received", "MainInformation/SUPPLEMENT_DATE", DAY_MONTH_YEAR
    )
    submission: str | None = said(
        "Kiểu tiếp nhận", "How it was handed in, in the registry's own words", "MainInformation/SUBMISSION_TYPE"
    )
    contact_name: str | None = said("Họ tên người nộp", "Name of who handed it in", "MainInformation/CONTACT_FULL_NAME")
    contact_document_number: IdentityDocument | None = said(
        "Số giấy tờ của người nộp", "Identity paper of who handed it in", "MainInformation/CONTACT_ID_NO"
    )
