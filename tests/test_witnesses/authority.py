"""A time-stamp authority: `openssl ts -reply` behind HTTP, with a certificate of a CA of its own."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIGURATION = """[tsa]
default_tsa = one
[one]
serial = {directory}/serial
signer_cert = {directory}/tsa.pem
certs = {directory}/sent.pem
signer_key = {directory}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""
_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING


@dataclass
class Authority:
    """Its files, and what it does with an answer before that leaves: `spoil`."""

    directory: Path
    url: str = ""
    spoil: Callable[[bytes], bytes] = bytes
    asked: list[bytes] = field(default_factory=list)

    @property
    def anchor(self) -> Path:
        return self.directory / "ca.pem"

    def send(self, *certificates: Path) -> None:
        """Have it send these in its answers, in this order, behind its own."""
        (self.directory / "sent.pem").write_bytes(b"".join(each.read_bytes() for each in certificates))

    def answer(self, question: bytes) -> bytes:
        """What openssl answers to a request in DER."""
        query, reply = self.directory / "query.tsq", self.directory / "reply.tsr"
        query.write_bytes(question)
        command = ["openssl", "ts", "-reply", "-config", self.directory / "tsa.cnf", "-queryfile", query, "-out", reply]
        subprocess.run(command, check=True, capture_output=True)
        return reply.read_bytes()


def an_authority(
    directory: Path,
    *,
    use: x509.ObjectIdentifier | None = _STAMPING,
    critical: bool = True,
    ended: bool = False,
    between: int = 0,
) -> Authority:
    """Make the CA, and a certificate for `use` under it, or under the last of so many CAs between them."""
    directory.mkdir()
    now = datetime.now(UTC)
    key = rsa.generate_private_key(65537, 2048)
    ca = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA of {directory.name}")])
    tsa = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Time-stamps")])

    def builder(subject: x509.Name, until: datetime, *, is_ca: bool, issuer: x509.Name = ca) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )

    root = builder(ca, now + timedelta(days=10), is_ca=True).sign(key, hashes.SHA256())
    above = ca
    for number in range(between):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA {number} of {directory.name}")])
        under = builder(name, now + timedelta(days=10), is_ca=True, issuer=above).sign(key, hashes.SHA256())
        (directory / f"between-{number}.pem").write_bytes(under.public_bytes(Encoding.PEM))
        above = name
    made = builder(tsa, now - timedelta(days=1) if ended else now + timedelta(days=1), is_ca=False, issuer=above)
    if use is not None:
        made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=critical)
    (directory / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (directory / "tsa.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "tsa.key").write_bytes(private)
    (directory / "serial").write_text("01")
    (directory / "tsa.cnf").write_text(_CONFIGURATION.format(directory=directory))
    made_here = Authority(directory)
    made_here.send(directory / "tsa.pem")
    return made_here


@asynccontextmanager
async def answering(authority: Authority) -> AsyncIterator[Authority]:
    """Have it answer over HTTP."""

    async def stamp(request: web.Request) -> web.Response:
        body = await request.read()
        authority.asked.append(body)
        if request.content_type != "application/timestamp-query":
            return web.Response(status=415)
        made = await asyncio.to_thread(lambda: authority.spoil(authority.answer(body)))
        return web.Response(body=made, content_type="application/timestamp-reply")

    app = web.Application()
    app.router.add_post("/tsa/", stamp)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    authority.url = f"http://127.0.0.1:{runner.addresses[0][1]}/tsa/"
    try:
        yield authority
    finally:
        await runner.cleanup()
