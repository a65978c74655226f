"""Certificates of every kind for tests of `lgsp doctor`, and sources that speak TLS with them on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Paper:
    """A certificate with its key; `files` writes both as PEM."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def file(self, directory: Path, *more: Paper) -> Path:
        path = directory / f"{self.certificate.serial_number}.pem"
        path.write_bytes(b"".join(paper.pem for paper in (self, *more)))
        return path

    def key_file(self, directory: Path) -> Path:
        path = directory / f"{self.certificate.serial_number}.key"
        path.touch(0o600)
        path.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return path


def paper(
    name: str,
    issuer: Paper | None = None,
    *,
    ca: bool = False,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    purposes: tuple[x509.ObjectIdentifier, ...] = (SERVER,),
    signs: bool = True,
    begins: float = -100,
    ends: float = 200,
    key: Key | None = None,
    more: tuple[x509.NameAttribute, ...] = (),
) -> Paper:
    """Issue a certificate; `begins` and `ends` are days from now."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), *more])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(_usage(ca=ca, signs=signs), critical=True)
    )
    above = issuer.key if issuer else own
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False
    )
    if hosts and not ca:
        names = [x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if purposes and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return Paper(builder.sign(above, SHA256()), own)


def _usage(*, ca: bool, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs and not ca,
        content_commitment=False,
        key_encipherment=not ca and not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def revocations(issuer: Paper, *revoked: Paper, since: float = -1, until: float = 6) -> x509.CertificateRevocationList:
    """Issue a revocation list; `since` and `until` are days from now."""
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(now + timedelta(days=since)).next_update(now + timedelta(days=until))
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(now + timedelta(days=since)).build())
    return builder.sign(issuer.key, SHA256())


def secured(directory: Path, own: Paper, *chain: Paper, asks: Paper | None = None) -> ssl.SSLContext:
    """The TLS of a source that sends these certificates; `asks`: the authority of the client certificates it wants."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.file(directory, *chain), own.key_file(directory))
    if asks is not None:
        context.load_verify_locations(cadata=asks.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def spoken(off: timedelta = timedelta(0)) -> bytes:
    """An answer of a source whose clock is off."""
    return f"HTTP/1.1 404 Not Found\r\nDate: {format_datetime(datetime.now(UTC) + off, usegmt=True)}\r\n\r\n".encode()


Talk = Callable[[socket.socket], None]


def answering(off: timedelta = timedelta(0)) -> Talk:
    """A source that answers every request."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(spoken(off))

    return talk


@asynccontextmanager
async def listening(talk: Talk, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Let a source listen, with a thread for each connection; gives its URL.

    Its sockets block: asyncio's server closes a connection whose handshake fails without sending the alert.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[Thread] = []

    def serve(raw: socket.socket) -> None:
        with suppress(OSError), raw, tls.wrap_socket(raw, server_side=True) if tls else raw as connection:
            talk(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                raw, _ = listener.accept()
                threads.append(Thread(target=serve, args=(raw,)))
                threads[-1].start()

    threads.append(Thread(target=accept))
    threads[0].start()
    try:
        yield f"{'https' if tls else 'http'}://{host}:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            # Meanwhile the event loop has to close what the thread still reads from.
            await asyncio.to_thread(thread.join)
