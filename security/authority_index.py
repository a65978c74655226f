"""What a certification authority did: every certificate it issued and revoked and every list it made, in one file.

One JSON object a line, only ever appended to and flushed before anything is handed out, under a lock that holds over
processes. A line that a crash cut short was never acted upon: it is passed over and goes with the next append.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


class IndexDamaged(Exception):
    """What an authority knows of itself is lost, gone back or cannot be read; the text says which file, what to do."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was issued: `name` is what the authority calls its holder."""

    name: str
    kind: str
    at: datetime
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Revocation:
    """The end of a certificate before its time (thu hồi): since, or from, `at`; `reason` as RFC 5280 names it."""

    at: datetime
    reason: str


class AuthorityIndex:
    """The events of one authority, read as far as they go whenever it is asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end = 0
        self._issued: dict[int, Issued] = {}
        self._revoked: dict[int, Revocation] = {}
        self._number = 0

    @property
    def issued(self) -> Mapping[int, Issued]:
        """Every certificate by serial number, the oldest first."""
        self._read()
        return self._issued

    @property
    def revoked(self) -> Mapping[int, Revocation]:
        """Every revocation by serial number, those that are still to come among them."""
        self._read()
        return self._revoked

    @property
    def number(self) -> int:
        """The number of the newest revocation list; 0 before the first."""
        self._read()
        return self._number

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other processes from changing the index; what is read inside is the newest. Raises OSError."""
        with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def add_issued(self, name: str, kind: str, at: datetime, certificate: x509.Certificate) -> None:
        """Record a certificate that is about to be handed out; inside `writing`."""
        der = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        serial = f"{certificate.serial_number:x}"
        self._append({"event": "issued", "at": _text(at), "serial": serial, "name": name, "kind": kind, "der": der})

    def add_revoked(self, serial: int, at: datetime, reason: str) -> None:
        """Record a revocation that takes effect at `at`; inside `writing`."""
        self._append({"event": "revoked", "at": _text(at), "serial": f"{serial:x}", "reason": reason})

    def add_list(self, number: int, at: datetime) -> None:
        """Record the number of a revocation list that is about to be handed out; inside `writing`."""
        self._append({"event": "listed", "at": _text(at), "number": number})

    def _append(self, event: Mapping[str, Any]) -> None:
        self._read()
        with self.path.open("r+b") as file:
            # What follows the last whole line is the beginning of one that a crash cut short.
            file.truncate(self._end)
            file.seek(self._end)
            file.write(json.dumps(event, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._read()

    def _read(self) -> None:
        try:
            with self.path.open("rb") as file:
                file.seek(self._end)
                fresh = file.read()
        except FileNotFoundError:
            return
        for line in fresh[: fresh.rfind(b"\n") + 1].splitlines(keepends=True):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise IndexDamaged(
                    f"{self.path}: the line at byte {self._end} is not an event; put back a copy of the file"
                ) from None
            self._end += len(line)

    def _take(self, event: Mapping[str, Any]) -> None:
        at = datetime.fromisoformat(event["at"])
        if event["event"] == "issued":
            certificate = x509.load_der_x509_certificate(base64.b64decode(event["der"], validate=True))
            self._issued[certificate.serial_number] = Issued(event["name"], event["kind"], at, certificate)
        elif event["event"] == "revoked":
            known = self._revoked.get(int(event["serial"], 16))
            # A revocation is never taken back, only brought forward.
            if known is None or at < known.at:
                self._revoked[int(event["serial"], 16)] = Revocation(at, str(event["reason"]))
        else:
            self._number = max(self._number, int(event["number"]))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
