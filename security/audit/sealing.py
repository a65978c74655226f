"""Sealing: what opens an entry (salts, subject identifiers) is kept only encrypted, and can be destroyed for good.

master key (key ring) ─wraps→ period key (vault) ─wraps→ entry key (vault) ─encrypts→ side table row (SQL)
                                       └─HKDF→ index key ─HMAC→ tag of a subject (SQL)

Destroying an entry key makes one entry unopenable; destroying a period key makes a whole period unopenable and its
tags meaningless.
"""

import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from security.audit.vault import Vault, VaultDamaged

PERIODS = "periods"
TAG_SIZE = 16
_NONCE = 12
_KEY = 32
_PERIOD_WIDTH = 10
_MASTER_ID = 8


class Unopenable(LookupError):
    """The row does not open under its key: altered, or of another entry."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A side table row: its period, the slot of its key in the vault, nonce ‖ ciphertext, and the subjects' tags."""

    period: str
    slot: int
    sealed: bytes
    tags: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Plain:
    """What is to be sealed for one entry: `subjects` are (kind, value)."""

    entry_id: str
    period: str
    content: bytes
    subjects: tuple[tuple[str, str], ...]


class _PeriodKey:
    """The working keys of one period."""

    __slots__ = ("index", "wrap")

    def __init__(self, key: bytes) -> None:
        self.wrap = AESGCM(key)
        self.index = HKDF(hashes.SHA256(), 32, None, b"lgsp audit subject index").derive(key)

    def tag(self, kind: str, value: str) -> bytes:
        """The index tag of a subject: HMAC-SHA-256 over kind, NUL, value, cut to 16 bytes."""
        return hmac.digest(self.index, kind.encode() + b"\0" + value.encode(), "sha256")[:TAG_SIZE]


class Sealer:
    """Seals, opens, finds and destroys. Blocking: call it off the event loop.

    `masters` maps key ids (8 bytes) to 32-byte keys; the first one wraps new periods, the others are still read.
    """

    def __init__(self, vault: Vault, masters: Mapping[bytes, bytes]) -> None:
        if not masters or any(len(name) != _MASTER_ID or len(key) != _KEY for name, key in masters.items()):
            raise ValueError("sealing: master keys are 32 bytes under ids of 8 bytes")
        self._vault = vault
        self._current = next(iter(masters))
        self._masters = {name: AESGCM(key) for name, key in masters.items()}
        self._periods: dict[str, _PeriodKey] = {}

    def seal(self, plains: Sequence[Plain]) -> list[Sealed]:
        """Encrypt each under a key of its own and put the wrapped keys into the vault, durably.

        Raises OSError when the vault does not take them.
        """
        result: dict[int, Sealed] = {}
        for period in dict.fromkeys(each.period for each in plains):
            batch = [(place, each) for place, each in enumerate(plains) if each.period == period]
            keys = self._period(period)
            records: list[bytes] = []
            ciphertexts: list[bytes] = []
            width = _KEY + 2 * _NONCE
            pool = os.urandom(width * len(batch))
            for at, (_, each) in enumerate(batch):
                drawn = pool[at * width : (at + 1) * width]
                key, wrap_nonce, nonce = drawn[:_KEY], drawn[_KEY:-_NONCE], drawn[-_NONCE:]
                bound = each.entry_id.encode()
                records.append(wrap_nonce + keys.wrap.encrypt(wrap_nonce, key, bound))
                ciphertexts.append(nonce + AESGCM(key).encrypt(nonce, each.content, bound))
            first = self._vault.put(period, records)
            for offset, ((place, each), ciphertext) in enumerate(zip(batch, ciphertexts, strict=True)):
                tags = tuple(dict.fromkeys(keys.tag(kind, value) for kind, value in each.subjects))
                result[place] = Sealed(period, first + offset, ciphertext, tags)
        return [result[place] for place in range(len(plains))]

    def open(self, entry_id: str, period: str, slot: int, sealed: bytes) -> bytes:
        """Decrypt a row. Raises `vault.Destroyed`, `vault.VaultDamaged`, `Unopenable`."""
        record = self._vault.read(period, slot)
        bound = entry_id.encode()
        try:
            key = self._period(period, create=False).wrap.decrypt(record[:_NONCE], record[_NONCE:], bound)
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
        except (InvalidTag, ValueError) as failure:
            raise Unopenable(f"the opening of entry {entry_id} does not decrypt") from failure

    def tags(self, kind: str, value: str) -> list[bytes]:
        """The tags under which this subject may stand in the index, one per live period."""
        return [self._period(period, create=False).tag(kind, value) for period in self.live_periods()]

    def tag(self, period: str, kind: str, value: str) -> bytes:
        """The tag of this subject in one period."""
        return self._period(period, create=False).tag(kind, value)

    def live_periods(self) -> list[str]:
        """Names of the periods whose key exists, oldest first."""
        return sorted(_period_name(record) for _, record in self._vault.slots(PERIODS))

    def destroy_entry(self, period: str, slot: int) -> None:
        """Make one entry unopenable."""
        self._vault.destroy(period, slot)

    def destroy_period(self, period: str) -> None:
        """Make every entry of the period unopenable and its index meaningless."""
        with self._vault.exclusive(PERIODS):
            for slot, record in list(self._vault.slots(PERIODS)):
                if _period_name(record) == period:
                    self._vault.destroy(PERIODS, slot)
        self._periods.pop(period, None)

    def rewrap(self) -> int:
        """Wrap every period key by the current master; return how many were. Part of rotating the master key."""
        moved = 0
        with self._vault.exclusive(PERIODS):
            for slot, record in list(self._vault.slots(PERIODS)):
                if record[_PERIOD_WIDTH : _PERIOD_WIDTH + _MASTER_ID] == self._current:
                    continue
                name = _period_name(record)
                self._vault.put(PERIODS, [self._wrapped(name, self._unwrapped(record))])
                self._vault.destroy(PERIODS, slot)
                moved += 1
        return moved

    def _period(self, period: str, *, create: bool = True) -> _PeriodKey:
        found = self._periods.get(period)
        if found is None:
            found = self._periods[period] = _PeriodKey(self._period_key(period, create=create))
        return found

    def _period_key(self, period: str, *, create: bool) -> bytes:
        with self._vault.exclusive(PERIODS):
            for _, record in self._vault.slots(PERIODS):
                if _period_name(record) == period:
                    return self._unwrapped(record)
            if not create:
                raise VaultDamaged(f"vault: the key of period {period} is gone")
            key = os.urandom(_KEY)
            self._vault.put(PERIODS, [self._wrapped(period, key)])
            return key

    def _wrapped(self, period: str, key: bytes) -> bytes:
        name = period.encode().ljust(_PERIOD_WIDTH, b"\0")
        if len(name) != _PERIOD_WIDTH:
            raise ValueError(f"sealing: the period name {period!r} is too long")
        nonce = os.urandom(_NONCE)
        return name + self._current + nonce + self._masters[self._current].encrypt(nonce, key, name)

    def _unwrapped(self, record: bytes) -> bytes:
        name, rest = record[:_PERIOD_WIDTH], record[_PERIOD_WIDTH:]
        master, nonce, wrapped = rest[:_MASTER_ID], rest[_MASTER_ID : _MASTER_ID + _NONCE], rest[_MASTER_ID + _NONCE :]
        if master not in self._masters:
            raise VaultDamaged(f"vault: period {_period_name(record)} is wrapped by a master key that is not here")
        try:
            return self._masters[master].decrypt(nonce, wrapped, name)
        except InvalidTag as failure:
            raise VaultDamaged(f"vault: the key of period {_period_name(record)} does not open") from failure


def _period_name(record: bytes) -> str:
    return record[:_PERIOD_WIDTH].rstrip(b"\0").decode()
