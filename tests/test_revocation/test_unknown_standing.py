"""What a caller is told where nobody says whether the signer was revoked: to ask again, and when."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.proof import StandingUnsettled, rejected
from routes.errors import problem
from security.signature import Rejected
from security.trust_status import Unsettled
from tests.test_revocation.conftest import Deployment, Place, fresh, refused
from tests.test_revocation.issuing import REVOKED, UNKNOWN, Holder


def told(refusal: Rejected) -> tuple[int, str, bool, str | None]:
    status, headers, body = problem(rejected(refusal), request_id="r", language="en", base_url="https://lgsp.example")
    document: dict[str, Any] = json.loads(body)
    assert document["code"] == "upstream-signature-rejected"
    return status, document["reason"], document["retryable"], headers.get("Retry-After")


async def test_who_is_silent_is_asked_again_and_so_may_the_gateway_be(
    place: Place, root: Holder, tmp_path: Path
) -> None:
    async with Deployment(tmp_path, root).worker() as worker:
        assert told(await refused(worker, place.issue(root))) == (502, "untrusted", True, "30")


async def test_an_asking_under_way_may_be_over_in_a_moment(place: Place, root: Holder, tmp_path: Path) -> None:
    async with Deployment(tmp_path, root).worker() as worker:
        with pytest.raises(Unsettled) as unsettled:
            worker.accept(place.issue(root))
        error = rejected(unsettled.value)
        assert isinstance(error, StandingUnsettled)
        assert error.unknown is unsettled.value
        assert told(unsettled.value) == (502, "untrusted", True, "1")


@pytest.mark.parametrize(("status", "reason"), [(REVOKED, "revoked"), (UNKNOWN, "untrusted")])
async def test_a_bad_word_stands(place: Place, root: Holder, tmp_path: Path, status: Any, reason: str) -> None:
    place.answer = fresh(status)
    async with Deployment(tmp_path, root).worker() as worker:
        assert told(await refused(worker, place.issue(root))) == (502, reason, False, None)


async def test_where_nobody_can_be_asked_asking_again_helps_nobody(root: Holder, tmp_path: Path) -> None:
    async with Deployment(tmp_path, root).worker() as worker:
        assert told(await refused(worker, root.issue())) == (502, "untrusted", False, None)
