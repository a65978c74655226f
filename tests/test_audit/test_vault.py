"""The vault and the sealing on top of it: durable slots, destruction for good, nothing readable from outside."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from security.audit.sealing import Plain, Sealer, Unopenable
from security.audit.vault import CAPACITY, SLOT, Destroyed, Vault, VaultDamaged

MASTERS = {b"period-1": b"1" * 32}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault")


def plain(number: int, *persons: str, period: str = "2026-11") -> Plain:
    content = b"content of %d" % number
    return Plain(f"id-{number}", period, content, tuple(("personal-number", each) for each in persons))


def test_what_was_put_is_read_until_it_is_destroyed(vault: Vault) -> None:
    first = vault.put("2026-11", [b"a", b"b" * CAPACITY, b""])
    second = vault.put("2026-11", [b"c"])
    assert (first, second) == (0, 3)
    vault.destroy("2026-11", 1)
    vault.destroy("2026-11", 1)
    assert list(vault.slots("2026-11")) == [(0, b"a"), (2, b""), (3, b"c")]
    with pytest.raises(Destroyed):
        vault.read("2026-11", 1)
    assert b"bbb" not in (vault.directory / "2026-11.slots").read_bytes()


@given(st.lists(st.lists(st.binary(max_size=CAPACITY), min_size=1, max_size=5), max_size=5))
@settings(max_examples=20)
def test_slots_are_handed_out_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[bytes]]
) -> None:
    vault = Vault(tmp_path_factory.mktemp("v") / "vault")
    places = [(vault.put("p", records), records) for records in calls]
    expected = [record for records in calls for record in records]
    assert [record for _, record in vault.slots("p")] == expected
    for first, records in places:
        assert [vault.read("p", first + offset) for offset in range(len(records))] == records


def test_torn_slot_of_a_crash_is_overwritten(vault: Vault) -> None:
    vault.put("p", [b"whole"])
    with (vault.directory / "p.slots").open("ab") as file:
        file.write(b"\1\5torn")
    assert vault.put("p", [b"next"]) == 1
    assert [record for _, record in vault.slots("p")] == [b"whole", b"next"]
    assert (vault.directory / "p.slots").stat().st_size == 2 * SLOT


def test_damage_is_noticed(vault: Vault) -> None:
    vault.put("p", [b"record"])
    path = vault.directory / "p.slots"
    raw = bytearray(path.read_bytes())
    raw[5] ^= 1
    path.write_bytes(raw)
    with pytest.raises(VaultDamaged):
        vault.read("p", 0)
    for name, slot in (("p", 1), ("missing", 0)):
        with pytest.raises(VaultDamaged):
            vault.read(name, slot)
    with pytest.raises(VaultDamaged):
        vault.destroy("p", 9)


def test_names_and_sizes_are_checked(vault: Vault) -> None:
    with pytest.raises(ValueError, match="file name"):
        vault.put("../x", [b""])
    with pytest.raises(ValueError, match="at most"):
        vault.put("p", [b"x" * (CAPACITY + 1)])


def test_only_the_owner_may_look_inside(vault: Vault) -> None:
    vault.put("p", [b"x"])
    assert stat.S_IMODE((vault.directory / "p.slots").stat().st_mode) == 0o600
    vault.directory.chmod(0o750)
    with pytest.raises(PermissionError):
        Vault(vault.directory)


def test_processes_share_a_vault(vault: Vault) -> None:
    program = (
        "import sys; from pathlib import Path; from security.audit.vault import Vault; v = Vault(Path(sys.argv[1]));"
        "[v.put('p', [b'%s-%d-%d' % (sys.argv[2].encode(), n, k) for k in range(3)]) for n in range(30)]"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(vault.directory), name], env={**os.environ}, cwd=Path.cwd()
        )
        for name in "abcd"
    ]
    assert [run.wait() for run in runs] == [0] * 4
    records = [record.decode() for _, record in vault.slots("p")]
    assert len(records) == len(set(records)) == 4 * 30 * 3
    assert all(records[at].rsplit("-", 1)[0] == records[at + 2].rsplit("-", 1)[0] for at in range(0, 360, 3))


def test_sealed_entry_opens_only_as_itself(vault: Vault) -> None:
    sealer = Sealer(vault, MASTERS)
    one, two = sealer.seal([plain(1, "001090123456"), plain(2)])
    assert Sealer(vault, MASTERS).open("id-1", one.period, one.slot, one.sealed) == b"content of 1"
    for wrong in (
        ("id-2", one.period, one.slot, one.sealed),
        ("id-1", one.period, two.slot, one.sealed),
        ("id-1", one.period, one.slot, two.sealed),
        ("id-1", one.period, one.slot, one.sealed[:-1] + bytes([one.sealed[-1] ^ 1])),
        ("id-1", one.period, one.slot, b""),
    ):
        with pytest.raises(Unopenable):
            sealer.open(*wrong)
    sealer.destroy_entry(one.period, one.slot)
    with pytest.raises(Destroyed):
        sealer.open("id-1", one.period, one.slot, one.sealed)
    assert sealer.open("id-2", two.period, two.slot, two.sealed) == b"content of 2"


def test_every_entry_has_a_key_of_its_own_however_many_are_made_ahead(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.audit.sealing.RESERVE", 3)
    sealers = [Sealer(vault, MASTERS), Sealer(vault, MASTERS)]
    sealed = {
        number: sealers[number % 2].seal([plain(number)])[0] if number % 3 else sealers[0].seal([plain(number)] * 4)[3]
        for number in range(20)
    }
    assert len({each.slot for each in sealed.values()}) == len(sealed)
    sealers[0].destroy_entry("2026-11", sealed[5].slot)
    for number, each in sealed.items():
        if number == 5:
            with pytest.raises(Destroyed):
                sealers[1].open(f"id-{number}", each.period, each.slot, each.sealed)
        else:
            assert sealers[1].open(f"id-{number}", each.period, each.slot, each.sealed) == b"content of %d" % number


def test_key_that_was_bound_to_its_entry_still_opens_it(vault: Vault) -> None:
    sealer = Sealer(vault, MASTERS)
    period_key, key, nonce = b"p" * 32, b"k" * 32, b"n" * 12
    vault.put("periods", [sealer._wrapped("2026-11", period_key)])
    slot = vault.put("2026-11", [nonce + AESGCM(period_key).encrypt(nonce, key, b"id-1")])
    sealed = nonce + AESGCM(key).encrypt(nonce, b"content", b"id-1")
    assert sealer.open("id-1", "2026-11", slot, sealed) == b"content"
    with pytest.raises(Unopenable):
        sealer.open("id-2", "2026-11", slot, sealed)


def test_batch_over_the_turn_of_a_month_keeps_its_order(vault: Vault) -> None:
    sealer = Sealer(vault, MASTERS)
    batch = [plain(n, "001090123456", period=f"2026-1{n % 2}") for n in range(6)]
    sealed = sealer.seal(batch)
    assert [each.period for each in sealed] == [each.period for each in batch]
    for each, made in zip(batch, sealed, strict=True):
        assert sealer.open(each.entry_id, made.period, made.slot, made.sealed) == each.content
    assert sealer.live_periods() == ["2026-10", "2026-11"]
    assert sealer.tags("personal-number", "001090123456") == [sealed[0].tags[0], sealed[1].tags[0]]
    assert sealed[0].tags != sealed[1].tags


def test_tags_differ_by_kind_and_value(vault: Vault) -> None:
    sealer = Sealer(vault, MASTERS)
    subjects = (("tax-code", "0101"), ("personal-number", "0101"), ("personal-number", "0102"), ("tax-code", "0101"))
    (sealed,) = sealer.seal([Plain("id", "2026-11", b"", subjects)])
    assert len(sealed.tags) == 3


def test_destroyed_period_opens_nothing_and_finds_nothing(vault: Vault) -> None:
    sealer = Sealer(vault, MASTERS)
    old, new = sealer.seal([plain(1, "001090123456", period="2025-01"), plain(2, "001090123456")])
    sealer.destroy_period("2025-01")
    with pytest.raises(VaultDamaged):
        sealer.open("id-1", old.period, old.slot, old.sealed)
    assert sealer.tags("personal-number", "001090123456") == [new.tags[0]]


def test_master_key_rotates_by_rewrapping(vault: Vault) -> None:
    (sealed,) = Sealer(vault, MASTERS).seal([plain(1)])
    both = Sealer(vault, {b"period-2": b"2" * 32, **MASTERS})
    assert both.open("id-1", sealed.period, sealed.slot, sealed.sealed) == b"content of 1"
    assert (both.rewrap(), both.rewrap()) == (1, 0)
    only_new = Sealer(vault, {b"period-2": b"2" * 32})
    assert only_new.open("id-1", sealed.period, sealed.slot, sealed.sealed) == b"content of 1"
    with pytest.raises(VaultDamaged):
        Sealer(vault, MASTERS).open("id-1", sealed.period, sealed.slot, sealed.sealed)
    with pytest.raises(VaultDamaged):
        Sealer(vault, {b"period-2": b"3" * 32}).open("id-1", sealed.period, sealed.slot, sealed.sealed)
