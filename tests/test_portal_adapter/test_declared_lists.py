"""Questions that hold records: written for the source, committed to, and searched for the people in them."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from adapters.encoding import object_of, texts_of
from schemas.exchange import Answer, Caller, Credential, Database, Exchange, Operation
from schemas.fields import Question, Record, Wire, placed, said, shape_of, subjects
from schemas.forms import LOCAL_INSTANT, PORTAL_INSTANT, PORTAL_TIME, TEXT, Form, Unmapped, flag
from schemas.identifiers import PersonalId, RequestText
from security.audit.anonymous import BulkCounter
from security.audit.canonical import canonical
from security.audit.entries import Evidence
from security.audit.trail import AuditTrail
from tests.test_resilience.exchanges import TITLE, Nothing

NUMBER = "001085000001"
INSTANTS = (LOCAL_INSTANT, PORTAL_TIME, PORTAL_INSTANT)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(9998, 1, 1)).flatmap(
    lambda moment: st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    )
)


class Paper(Question):
    """Something handed in."""

    name: RequestText = said("Tên", "Name", "Ten", required=True)
    pages: str | None = said("Số trang", "Pages", "Trang/So")


class Owner(Question):
    """Who hands in."""

    number: PersonalId | None = said("Số định danh", "Personal number", "SoDinhDanh")
    mails: list[str] | None = said("Thư", "Mails", "Thu")


class File(Question):
    """One of several things that are sent."""

    code: str = said("Mã", "Code", "Ma", required=True)
    at: str | None = said("Ngày", "Moment", "Ngay", LOCAL_INSTANT)
    owner: Owner | None = said("Chủ", "Owner", "Chu")
    papers: list[Paper] | None = said("Giấy tờ", "Papers", "GiayTo")


class Files(Question):
    """A question with a list of records."""

    updating: bool = said("Cập nhật", "Whether they are there", "isUpdating", flag("True", "False"), required=True)
    files: Annotated[list[File], Field(min_length=1)] = said("Hồ sơ", "Files", "data", required=True)


FILES = Files.model_validate(
    {
        "updating": False,
        "files": [
            {
                "code": "a",
                "at": "2026-01-01T00:30:00Z",
                "owner": {"number": NUMBER, "mails": ["x", "y"]},
                "papers": [{"name": "Đơn", "pages": "2"}, {"name": "Thẻ"}],
            },
            {"code": "b", "papers": []},
        ],
    }
)


def test_records_are_written_where_they_are_declared() -> None:
    assert object_of(shape_of(Files), empty=(LOCAL_INSTANT,))(FILES) == {
        "isUpdating": "False",
        "data": [
            {
                "Ma": "a",
                "Ngay": "20260101073000",
                "Chu": {"SoDinhDanh": NUMBER, "Thu": ["x", "y"]},
                "GiayTo": [{"Ten": "Đơn", "Trang": {"So": "2"}}, {"Ten": "Thẻ"}],
            },
            {"Ma": "b", "Ngay": "", "GiayTo": []},
        ],
    }


def test_another_generation_has_other_places() -> None:
    elsewhere = placed(
        shape_of(Files),
        {
            "updating": None,
            "files": Wire(("HoSo/DanhSach",), TEXT),
            "files.at": Wire(("NgayNop",), PORTAL_TIME),
            "files.owner": None,
            "files.papers.pages": Wire(("SoTrang",), TEXT),
        },
    )
    written = object_of(elsewhere, numbers=frozenset({"files.papers.pages"}))(FILES)
    assert written == {
        "HoSo": {
            "DanhSach": [
                {
                    "Ma": "a",
                    "NgayNop": "2026-01-01 07:30:00",
                    "GiayTo": [{"Ten": "Đơn", "SoTrang": 2}, {"Ten": "Thẻ"}],
                },
                {"Ma": "b", "GiayTo": []},
            ]
        }
    }
    with pytest.raises(TypeError, match=r"Files has no member files\.nothing"):
        placed(shape_of(Files), {"files.nothing": None})


def test_what_callers_ask_stays_flat() -> None:
    with pytest.raises(TypeError, match=r"Files\.files: a question is flat"):
        texts_of(shape_of(Files))
    with pytest.raises(ValidationError):
        Files.model_validate({"updating": True, "files": [{"code": "a", "other": "b"}]})


def test_people_in_the_list_are_subjects() -> None:
    found: list[Any] = []
    subjects(shape_of(Files), "asked")(FILES.model_dump(exclude_none=True), found)
    assert found == [("asked", "personal-id", NUMBER)]


class Log:
    """Keeps what would be written."""

    def __init__(self) -> None:
        self.kept: list[Evidence] = []

    async def record(self, evidence: Evidence) -> None:
        self.kept.append(evidence)


async def test_evidence_commits_to_the_whole_list() -> None:
    log = Log()
    trail = AuditTrail(log, BulkCounter(log, entries_per_minute=2))  # type: ignore[arg-type]
    operation = Operation(name="files", title=TITLE, question=Files, answer=Record, binding=Nothing())
    exchange = Exchange(
        id=str(uuid.uuid4()),
        database=Database(name="trial", title=TITLE, owner=TITLE, operations=(operation,)),
        operation=operation,
        question=FILES,
        caller=Caller("c", "H26", Credential("secret", "c"), {}),
        purpose="dossier-processing",
        asked_at=datetime.now(UTC),
        deadline=asyncio.get_running_loop().time() + 5,
    )

    async def answer(_: Exchange) -> Answer:
        return Answer({"name": "x"})

    await trail.audited(answer)(exchange)
    (evidence,) = log.kept
    assert evidence.question == canonical(FILES.model_dump(exclude_none=True))
    assert json.loads(evidence.question)["files"][0]["owner"]["number"] == NUMBER
    assert evidence.subjects == [("asked", "personal-id", NUMBER)]
    body, _, _ = evidence.written()
    assert NUMBER.encode() not in body


@pytest.mark.parametrize("form", INSTANTS, ids=["stamp", "time", "instant"])
@given(moment=MOMENTS)
def test_moments_are_written_on_vietnams_clock(form: Form, moment: datetime) -> None:
    (text,) = form.write(moment.isoformat())
    assert text is not None
    read = form.read(text)
    assert isinstance(read, str)
    assert read.endswith("+07:00")
    again = datetime.fromisoformat(read)
    finest = timedelta(milliseconds=1) if form is PORTAL_INSTANT else timedelta(seconds=1)
    assert timedelta(0) <= moment - again < finest
    assert form.write(read) == (text,)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (LOCAL_INSTANT, "2026-11-30 08:00:00"),
        (LOCAL_INSTANT, "20260230080000"),
        (PORTAL_TIME, "20261130080000"),
        (PORTAL_TIME, "2026-11-30T08:00:00"),
        (PORTAL_INSTANT, "2026-11-30T08:00:00"),
        (PORTAL_INSTANT, "2026-11-30T24:00:00.000"),
        (PORTAL_INSTANT, "0000-11-30T08:00:00.000"),
    ],
)
def test_a_moment_in_another_form_is_no_moment(form: Form, text: str) -> None:
    with pytest.raises(Unmapped):
        form.read(text)


def test_a_moment_without_offset_is_not_written() -> None:
    with pytest.raises(ValueError, match="without its offset"):
        PORTAL_TIME.write("2026-11-30T08:00:00")
