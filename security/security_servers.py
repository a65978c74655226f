"""The X-Road security servers that are believed about who asks: known by their certificates (máy chủ an ninh)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from config.settings import ConfigurationError, XroadProvider
from security.tokens import unauthenticated
from security.trust import load_certificates


def load_servers(section: XroadProvider) -> list[Certificate]:
    """Read the certificates of `[xroad] servers`; raises ConfigurationError naming the file that cannot be used."""
    return [certificate for path in section.servers for certificate in _read(path)]


def _read(path: Path) -> list[Certificate]:
    try:
        return load_certificates(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"xroad.servers: {path} cannot be read ({error}); it has to hold the certificates with which security "
            "servers connect, in PEM"
        ) from None


class SecurityServers:
    """Tells whose connection is that of a configured security server; one per process."""

    def __init__(self, certificates: Iterable[Certificate] = (), *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lives: dict[bytes, tuple[float, float]] = {}
        self.take(certificates)

    def take(self, certificates: Iterable[Certificate]) -> None:
        """Believe the holders of these certificates from now on, and nobody else."""
        self._lives = {
            one.public_bytes(Encoding.DER): (one.not_valid_before_utc.timestamp(), one.not_valid_after_utc.timestamp())
            for one in certificates
        }

    def __contains__(self, certificate: bytes | None) -> bool:
        """Tell whether the client certificate (DER) of a connection is that of a server; it may have ended."""
        return certificate in self._lives

    def check(self, certificate: bytes | None) -> None:
        """Raise Unauthenticated (expired) unless the certificate of a server is in its time."""
        begins, ends = self._lives[certificate or b""]
        if not begins <= self._clock() < ends:
            raise unauthenticated("expired")
