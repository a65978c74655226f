"""The clock is set, forwards or back, while events wait, are sent, or their worker is gone."""

from collections.abc import Iterator

import pytest

import sync.database  # noqa: F401 - declares every table
from tests.test_dossier_machine.machine import CODES, SOURCES, Dossiers

CODE, PROVINCE = CODES[0], SOURCES[0]
HOUR = 3600.0


@pytest.fixture
def gateway() -> Iterator[Dossiers]:
    """A gateway that has told the portal of a dossier; at the end everything else is delivered, once, in order."""
    made = Dossiers()
    made.one_is_there(deliver=True)
    made.turns([0], [], None)
    yield made
    made.teardown()


def numbered(gateway: Dossiers, *sequences: int) -> None:
    for sequence in sequences:
        gateway.push(CODE, PROVINCE, sequence, "4", 0.0)


def applied(gateway: Dossiers) -> list[int | None]:
    return [line.sequence for line in gateway.portal.ledger]


@pytest.mark.parametrize("slot", [0, 1], ids=["same-worker", "other-worker"])
def test_what_is_being_sent_is_not_sent_again_when_the_clock_goes_ahead(gateway: Dossiers, slot: int) -> None:
    numbered(gateway, 1)
    gateway.turn_that_hangs(0, "before")
    gateway.set_the_clock(2 * HOUR)
    gateway.turns([slot] * 5, [], None)
    assert applied(gateway) == []
    gateway.let_go()
    assert applied(gateway) == [1]


def test_what_waits_is_sent_at_once_when_the_clock_goes_back(gateway: Dossiers) -> None:
    numbered(gateway, 1)
    gateway.set_the_clock(-HOUR)
    gateway.turns([0], [], None)
    assert applied(gateway) == [1]


def test_a_pause_after_a_failure_stays_short_when_the_clock_goes_back(gateway: Dossiers) -> None:
    numbered(gateway, 1)
    gateway.turns([0], ["unreached"], None)
    gateway.set_the_clock(-HOUR)
    gateway.wait(10.0)
    gateway.turns([0], [], None)
    assert applied(gateway) == [1]


def test_a_gap_is_waited_for_no_longer_when_the_clock_goes_back(gateway: Dossiers) -> None:
    numbered(gateway, 2)
    gateway.set_the_clock(-HOUR)
    gateway.turns([0], [], None)
    assert applied(gateway) == []
    gateway.wait(61.0)
    gateway.turns([0], [], None)
    assert applied(gateway) == [2]


def test_a_clock_that_went_back_while_nothing_ran_is_noticed_by_whoever_starts(gateway: Dossiers) -> None:
    numbered(gateway, 1)
    gateway.restart()
    gateway.set_the_clock(-HOUR)
    gateway.turns([0], [], None)
    assert applied(gateway) == [1]


@pytest.mark.parametrize("seconds", [-HOUR, 0.0, HOUR], ids=["back", "right", "ahead"])
def test_what_a_machine_held_that_is_gone_is_freed_after_as_long_as_leases_last(
    gateway: Dossiers, seconds: float
) -> None:
    numbered(gateway, 1)
    gateway.turn_that_dies(1, "after")
    gateway.set_the_clock(seconds)
    # Whoever lives looks now and then for what others hold.
    gateway.wait(10.0)
    gateway.turns([0], [], None)
    assert gateway._rows_in("sending") == 1
    gateway.wait(100.0)
    gateway.turns([0, 0, 0], [], None)
    assert gateway._rows_in("sending") == 0
    assert applied(gateway) == [1]
