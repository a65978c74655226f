"""The portal and deployments that deliver to it, as in the tests of delivery."""

import time
from datetime import datetime, timedelta

import pytest

from sync.figures import VIETNAM
from tests.test_delivery.conftest import local, opens, portal, post, state, world

__all__ = ["local", "opens", "portal", "post", "state", "within_a_day", "world"]

ENOUGH = timedelta(minutes=2)


@pytest.fixture(autouse=True)
def within_a_day() -> None:
    """Begin no test shortly before midnight: what it delivers and what it compares are of one day in Vietnam."""
    now = datetime.now(VIETNAM)
    left = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0) - now
    if left < ENOUGH:
        time.sleep(left.total_seconds() + 1)
