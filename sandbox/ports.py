"""Ports of a demo: chosen once, kept in its state directory, so that a restarted demo is found where it was."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

_PATIENCE = 30
_LOWEST = 10_240
# The kernel gives ports from here on to outgoing connections (ip(7)): one that was free a moment ago may be gone.
_GIVEN_AWAY = Path("/proc/sys/net/ipv4/ip_local_port_range")


class PortTaken(OSError):
    """Somebody else listens on the port that was asked for."""


class Ports:
    """The ports by role; a remembered one that somebody else has taken meanwhile is replaced."""

    def __init__(self, path: Path, host: str) -> None:
        self._path = path
        self._host = host
        self._held: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    async def wait_for(self, wanted: int) -> None:
        """Return when a port is free; raises PortTaken. A gateway whose demo was killed needs a moment to end."""
        for _ in range(_PATIENCE):
            if self._is_free(wanted):
                return
            await asyncio.sleep(0.1)
        raise PortTaken(f"port {wanted} is in use: choose another with --port, 0 for a free one")

    def get(self, role: str, wanted: int = 0) -> int:
        """Return the port of `role`: `wanted` where that is free, else the remembered one, else a free one."""
        if wanted and not self._is_free(wanted):
            wanted = 0
        remembered = self._held.get(role, 0)
        port = wanted or (remembered if remembered and self._is_free(remembered) else free_port(self._host))
        if port != remembered:
            self._held[role] = port
            self._save()
        return port

    def known(self) -> Mapping[str, int]:
        """Return what is remembered and free now."""
        return {role: port for role, port in self._held.items() if self._is_free(port)}

    def keep(self, ports: Mapping[str, int]) -> None:
        """Remember the ports that endpoints got."""
        self._held |= ports
        self._save()

    def _save(self) -> None:
        self._path.write_text(json.dumps(self._held), encoding="utf-8")

    def _is_free(self, port: int) -> bool:
        return is_free(self._host, port)


def is_free(host: str, port: int) -> bool:
    """Tell whether nobody listens on a port."""
    with _socket(host) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free and that no outgoing connection is given before somebody listens on it."""
    first = int(_GIVEN_AWAY.read_text(encoding="ascii").split()[0]) if _GIVEN_AWAY.exists() else 0
    for _ in range(_PATIENCE if first > 2 * _LOWEST else 0):
        port = _LOWEST + secrets.randbelow(first - _LOWEST)
        if is_free(host, port):
            return port
    with _socket(host) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _socket(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made
