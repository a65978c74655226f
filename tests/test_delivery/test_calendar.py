"""Days that are easily got wrong, on their way to both generations: leap days, the turn of a year, offsets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.codes.agencies import check_dossier_code
from tests.test_delivery.world import Post, a_dossier, a_post, a_status
from tests.test_portal.visitor import Visitor

DAYS = ("241231", "250101", "240229", "280229", "20241231", "20250101", "20240229")
MOMENTS = {
    "2024-12-31T23:59:59+07:00": "2024-12-31 23:59:59",
    "2024-12-31T16:59:59Z": "2024-12-31 23:59:59",
    "2024-12-31T17:00:00Z": "2025-01-01 00:00:00",
    "2024-12-31T23:59:59Z": "2025-01-01 06:59:59",
    "2024-02-28T17:00:00Z": "2024-02-29 00:00:00",
    "2024-02-29T23:59:59.999+07:00": "2024-02-29 23:59:59",
    "2024-02-29T12:00:00-12:00": "2024-03-01 07:00:00",
    "2025-02-28T17:00:00Z": "2025-03-01 00:00:00",
}


@pytest.fixture(params=["1", "2"])
async def post(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path, portal: Visitor) -> AsyncIterator[Post]:
    """A deployment that speaks each generation."""
    async with a_post(sqlite_url, tmp_path / "vault", portal, request.param) as made:
        yield made


async def test_dossiers_of_every_day_are_dossiers_of_their_own(post: Post) -> None:
    codes = [f"000.00.00.H26-{day}-{number:04}" for day in DAYS for number in (1, 2)]
    for code in codes:
        await post.desk.put(code=code)
        await post.desk.push(a_status("4", sequence=1), code=code)
    post.start()
    await post.drained()
    await post.is_exact({code: ["4"] for code in codes})


@pytest.mark.parametrize("day", ["250229", "230229", "21000229", "20250229", "241301", "240230", "240431", "000000"])
def test_no_dossier_is_of_a_day_that_never_was(day: str) -> None:
    with pytest.raises(ValueError, match="day"):
        check_dossier_code(f"000.00.00.H26-{day}-0001")


async def test_the_portal_reads_moments_on_its_own_clock(post: Post) -> None:
    for number, (at, _) in enumerate(MOMENTS.items(), start=1):
        code = f"000.00.00.H26-241231-{number:04}"
        await post.desk.put(a_dossier(received_at=at), code=code)
        await post.desk.push(a_status("4", sequence=1, at=at), code=code)
    post.start()
    await post.drained()
    for number, there in enumerate(MOMENTS.values(), start=1):
        (held,) = await post.portal.look_up(f"000.00.00.H26-241231-{number:04}")
        told = (held["NgayTiepNhan"], held["DanhSachTienDo"][0]["ThoiDiemXuLy"])
        digits = "".join(letter for letter in there if letter.isdigit())
        assert ["".join(letter for letter in one if letter.isdigit())[:14] for one in told] == [digits] * 2


@pytest.mark.parametrize(
    "at",
    ["2026-12-31T23:59:60Z", "2027-01-01T06:59:60+07:00", "2025-02-29T08:00:00Z", "2024-12-31T24:00:00Z", "2024-12-31"],
)
async def test_what_is_no_moment_is_refused_at_the_door(post: Post, at: str) -> None:
    with pytest.raises(ValidationError):
        await post.desk.push(a_status("4", at=at))
