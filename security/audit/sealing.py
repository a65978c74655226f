"""Sealing: what opens an entry (salts, subject identifiers) is kept only encrypted, and can be destroyed for good.

master key (key ring) ─wraps→ period key (vault) ─wraps→ entry key (vault) ─encrypts→ side table row (SQL)
                                       └─HKDF→ index key ─HMAC→ tag of a subject (SQL)

Destroying an entry key makes one entry unopenable; destroying a period key makes a whole period unopenable and its
tags meaningless. Entry keys are put into the vault some ahead of the entries (`RESERVE`), each for one entry only.
"""

import hmac
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from security.audit.vault import Vault, VaultDamaged

PERIODS = "periods"
TAG_SIZE = 16

# Keys made at once: making the vault durable costs as much as the commit of the log itself. What a process has not
# used when it ends is lost, which is all that a slot without an entry means.
RESERVE = 64
_NONCE = 12
_KEY = 32
_PERIOD_WIDTH = 10
_MASTER_ID = 8


class Unopenable(LookupError):
    """The row does not open under its key: altered, or of another entry."""


class Sealed(NamedTuple):
    """A side table row: its period, the slot of its key in the vault, nonce ‖ ciphertext, and the subjects' tags."""

    period: str
    slot: int
    sealed: bytes
    tags: tuple[bytes, ...]


class Plain(NamedTuple):
    """What is to be sealed for one entry: `subjects` are (kind, value)."""

    entry_id: str
    period: str
    content: bytes
    subjects: Sequence[tuple[str, str]]


class _PeriodKey:
    """The working keys of one period."""

    __slots__ = ("index", "wrap")

    def __init__(self, key: bytes) -> None:
        self.wrap = AESGCM(key)
        self.index = HKDF(hashes.SHA256(), 32, None, b"lgsp audit subject index").derive(key)

    def tag(self, kind: str, value: str) -> bytes:
        """The index tag of a subject: HMAC-SHA-256 over kind, NUL, value, cut to 16 bytes."""
        return hmac.digest(self.index, f"{kind}\0{value}".encode(), "sha256")[:TAG_SIZE]


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
        self._reserves: dict[str, list[tuple[int, bytes]]] = {}

    def seal(self, plains: Sequence[Plain]) -> list[Sealed]:
        """Encrypt each under a key of its own, whose wrapped form is durable in the vault.

        Raises OSError when the vault takes no further keys.
        """
        nonces = os.urandom(_NONCE * len(plains))
        result: list[Sealed] = []
        for place, each in enumerate(plains):
            keys, reserve = self._period(each.period), self._reserves.setdefault(each.period, [])
            if not reserve:
                reserve += self._reserved(each.period, keys, len(plains) - place)
            slot, key = reserve.pop()
            nonce = nonces[place * _NONCE : (place + 1) * _NONCE]
            sealed = nonce + AESGCM(key).encrypt(nonce, each.content, each.entry_id.encode())
            tags = tuple(dict.fromkeys([keys.tag(kind, value) for kind, value in each.subjects]))
            result.append(Sealed(each.period, slot, sealed, tags))
        return result

    def open(self, entry_id: str, period: str, slot: int, sealed: bytes) -> bytes:
        """Decrypt a row. Raises `vault.Destroyed`, `vault.VaultDamaged`, `Unopenable`."""
        record = self._vault.read(period, slot)
        wrap, bound = self._period(period, create=False).wrap, entry_id.encode()
        try:
            try:
                key = wrap.decrypt(record[:_NONCE], record[_NONCE:], period.encode())
            except InvalidTag:
                # Keys that were not made ahead are bound to their entry.
                key = wrap.decrypt(record[:_NONCE], record[_NONCE:], bound)
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
        except (InvalidTag, ValueError) as failure:
            raise Unopenable(f"the opening of entry {entry_id} does not decrypt") from failure

    def tags(self, kind: str, value: str) -> list[bytes]:
        """The tags under which this subject may stand in the index, one per live period."""
        return [self._period(period, create=False).tag(kind, value) for period in self.live_periods()]

    def begin(self, period: str) -> None:
        """Make the key of a period where there is none, so that `tag` works before anything is sealed in it."""
        self._period(period)

    def tag(self, period: str, kind: str, value: str) -> bytes:
        """The tag of this subject in one period."""
        return self._period(period, create=False).tag(kind, value)

    def live_periods(self) -> list[str]:
        """Names of the periods whose key exists, oldest first."""
        return sorted(_period_name(record) for _, record in self._vault.slots(PERIODS))

    def destroy_entry(self, period: str, *slots: int) -> None:
        """Make an entry of the period unopenable, or several."""
        self._vault.destroy(period, *slots)

    def destroy_period(self, period: str) -> None:
        """Make every entry of the period unopenable and its index meaningless."""
        with self._vault.exclusive(PERIODS):
            for slot, record in list(self._vault.slots(PERIODS)):
                if _period_name(record) == period:
                    self._vault.destroy(PERIODS, slot)
        self._periods.pop(period, None)
        self._reserves.pop(period, None)

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

    def _reserved(self, period: str, keys: _PeriodKey, needed: int) -> list[tuple[int, bytes]]:
        """Make entry keys durable in the vault; return them with their slots, the first slot last."""
        number = max(RESERVE, needed)
        pool = os.urandom((_KEY + _NONCE) * number)
        made = [pool[at * _KEY : (at + 1) * _KEY] for at in range(number)]
        nonces = [pool[_KEY * number + at * _NONCE :][:_NONCE] for at in range(number)]
        # Which entry a key is for shows when it opens that entry, and nothing else: the entry's id is bound there.
        bound = period.encode()
        records = [nonce + keys.wrap.encrypt(nonce, key, bound) for nonce, key in zip(nonces, made, strict=True)]
        first = self._vault.put(period, records)
        return list(enumerate(made, first))[::-1]

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
