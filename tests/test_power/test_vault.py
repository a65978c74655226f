"""The vault after power failures: what was handed out is there, what was not finished is in nobody's way."""

from pathlib import Path

import pytest

from security.audit.sealing import Sealer
from security.audit.vault import SLOT, Vault, VaultDamaged
from tests.test_power.failing import Programs

MASTERS = {b"period-2": b"2" * 32, b"period-1": b"1" * 32}
# So many that some slots stand across the border of two sectors.
SEALING = """
from security.audit.sealing import Plain, Sealer
from security.audit.vault import Vault

old = {b"period-1": b"1" * 32}
sealer = Sealer(Vault(live / "all" / "of" / "vault"), old)
for month in range(1, 13):
    (sealed,) = sealer.seal([Plain("id", f"2026-{month:02}", b"content", ())])
    tell([sealed.period, sealed.slot, sealed.sealed.hex()])
"""


def openable(told: list[list[object]], state: Path) -> None:
    """Open what was told, begin another month, and open it again."""
    for _ in range(2):
        sealer = Sealer(Vault(state / "all" / "of" / "vault"), MASTERS)
        for period, slot, sealed in told:
            assert sealer.open("id", str(period), int(str(slot)), bytes.fromhex(str(sealed))) == b"content"
        assert {str(period) for period, _, _ in told} <= set(sealer.live_periods())
        sealer.begin("2027-01")


def test_what_was_sealed_opens_and_the_next_month_begins(programs: Programs) -> None:
    programs.run(SEALING)
    for told, state in programs.failures(3):
        openable(told, state)
    assert len(programs.told) == 12


def test_keys_are_wrapped_anew_or_as_before(programs: Programs) -> None:
    programs.run(SEALING)
    sealed = len(programs.told)
    programs.run(
        """
from security.audit.sealing import Sealer
from security.audit.vault import Vault

tell("begun")
Sealer(Vault(live / "all" / "of" / "vault"), {b"period-2": b"2" * 32, b"period-1": b"1" * 32}).rewrap()
"""
    )
    for told, state in programs.failures(2, sealed + 1):
        openable(told[:sealed], state)
        sealer = Sealer(Vault(state / "all" / "of" / "vault"), MASTERS)
        sealer.rewrap()
        assert sealer.rewrap() == 0


def test_what_was_destroyed_is_nowhere(programs: Programs) -> None:
    programs.run(
        """
from security.audit.vault import Vault

vault = Vault(live / "vault")
for number in range(12):
    vault.put("p", [b"record %02d" % number])
for number in range(12):
    vault.destroy("p", number)
    tell(number)
"""
    )
    for told, state in programs.failures(3, 1):
        for path in (state / "vault").glob("*"):
            content = path.read_bytes()
            assert not [number for number in told if b"record %02d" % number in content]
    assert len(programs.told) == 12


def test_a_file_whose_maker_was_killed_is_made_durable_by_who_comes_next(programs: Programs) -> None:
    """The first had written slots and not come to the directory; the second uses slots of that file."""
    programs.run(
        """
os.fdatasync = lambda fd: os._exit(9)
from security.audit.vault import Vault
(live / "vault").mkdir(mode=0o700)
at = os.open(live, os.O_RDONLY)
os.fsync(at)
Vault(live / "vault").put("p", [b"never handed out"])
"""
    )
    programs.run(
        """
from security.audit.vault import Vault
tell(Vault(live / "vault").put("p", [b"record"]))
(live / "more").write_bytes(b"")
"""
    )
    for (slot,), state in programs.failures(20, 1):
        assert Vault(state / "vault").read("p", slot) == b"record"
    assert len(programs.told) == 1


@pytest.mark.parametrize("slot", range(12))
def test_damage_is_not_taken_for_something_unfinished(tmp_path: Path, slot: int) -> None:
    vault = Vault(tmp_path / "vault")
    for number in range(12):
        vault.put("p", [b"record %02d" % number + b"." * 70])
    path = vault.directory / "p.slots"
    whole = path.read_bytes()
    for at in range(SLOT):
        damaged = bytearray(whole)
        damaged[slot * SLOT + at] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(VaultDamaged):
            list(vault.slots("p"))
