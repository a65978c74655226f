"""Sandbox material stays on this machine: keys, authorities and clients made by the demo are refused elsewhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from config.settings import Settings
from routes.expiry import certificate_files
from security.client_store import load_all
from security.keys import SANDBOX_MARK, KeyRing
from storage.engine import Storage


def sandbox_material(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each configured key or certificate that carries the mark of the sandbox."""
    for key in KeyRing(settings.keys.directory).sandbox_keys():
        yield f"keys.directory: {key.path.name} is marked {SANDBOX_MARK}"
    for setting, path in certificate_files(settings):
        if path.exists() and _marked(path):
            yield f"{setting}: {path.name} is marked {SANDBOX_MARK}"


async def sandbox_clients(storage: Storage) -> list[str]:
    """Return a sentence for each registered client that a demo made and nobody revoked; raises StorageError."""
    clients = await storage.read(load_all)
    return [
        f"client {client.client_id} is marked {SANDBOX_MARK}"
        for client in clients
        if SANDBOX_MARK in client.name and client.revoked_at is None
    ]


def listens_on_loopback_only(settings: Settings) -> bool:
    """Tell whether every address that the gateway would listen on belongs to this machine alone."""
    server = settings.server
    listens = [server.listen, server.tls.listen if server.tls else None, server.admin_listen]
    return all(is_loopback(listen) for listen in listens if listen)


def is_loopback(listen: str) -> bool:
    """Tell whether only this machine reaches what listens on `host:port`."""
    host = listen.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _marked(path: Path) -> bool:
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        # Whoever needs the file says what is wrong with it.
        return False
    return any(SANDBOX_MARK in certificate.subject.rfc4514_string() for certificate in certificates)
