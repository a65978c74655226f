"""The enterprise registration database (CSDL quốc gia về đăng ký doanh nghiệp), declared.

Spoken through NGSP: `apiCSDLDKDN` 1.0, GET with a Bearer token. `Message` is `success`, or says what is wrong;
`NOT_FOUND` for nobody matching is this profile's own, the published guide gives no list.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.bindings import Rest
from adapters.notices import number_notices
from adapters.schemes import ClientCredentials
from schemas.enterprise import Enterprise, EnterpriseQuestion, RegistrationStatus, RegistrationStatusQuestion
from schemas.errors import NoRecord, Text
from schemas.exchange import Data, Database, Notice, Operation
from schemas.fields import Question

ACCEPTED = frozenset({"success"})
FAULTS = {"NOT_FOUND": NoRecord}


def mismatches(question: Question, data: Data) -> Iterator[Notice]:
    """Warn where a representative's personal number disagrees with sex or birth as registered."""
    for position, person in enumerate(data["representatives"]):
        yield from number_notices(person, f"/data/representatives/{position}", "document_number")


DATABASE = Database(
    name="enterprise",
    title=Text("Cơ sở dữ liệu quốc gia về đăng ký doanh nghiệp", "National enterprise registration database"),
    owner=Text("Bộ Tài chính", "Ministry of Finance"),
    operations=(
        Operation(
            name="enterprise",
            title=Text("Tra cứu thông tin doanh nghiệp", "Look up an enterprise"),
            question=EnterpriseQuestion,
            answer=Enterprise,
            binding=Rest(
                method="GET",
                path="/apiCSDLDKDN/1.0/chiTietDoanhNghiep",
                verdict="Message",
                accepted=ACCEPTED,
                core="MainInformation",
            ),
            faults=FAULTS,
            examine=mismatches,
        ),
        Operation(
            name="registration-status",
            title=Text("Tra cứu tình trạng hồ sơ đăng ký", "Look up the state of a registration dossier"),
            question=RegistrationStatusQuestion,
            answer=RegistrationStatus,
            binding=Rest(
                method="GET",
                path="/apiCSDLDKDN/1.0/tinhTrangHoSo",
                verdict="Message",
                accepted=ACCEPTED,
                core="MainInformation",
            ),
            faults=FAULTS,
        ),
    ),
    logins={"enterprise": ClientCredentials()},
)
