"""TLS towards a source: its own authority, our certificate."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.transport import (
    Undelivered,
)
from config.settings import ConfigurationError
from schemas.errors import (
    UpstreamUnavailable,
)
from tests.test_resilience.doubles import ASK, in_seconds, transport


def issue(
    name: str, directory: Path, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a certificate for loopback, self-signed or by `issuer`, and leave NAME.pem and NAME.key in `directory`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    (directory / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, key


async def test_tls_trusts_its_own_authority_only_and_shows_its_certificate(tmp_path: Path) -> None:
    authority = issue("ca", tmp_path)
    issue("server", tmp_path, authority)
    issue("client", tmp_path, authority)
    issue("other", tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")

    async def handle(received: web.Request) -> web.Response:
        assert received.transport is not None
        subject = received.transport.get_extra_info("peercert")["subject"]
        return web.Response(text=subject[0][0][1])

    app = web.Application()
    app.router.add_post("/ask", handle)
    mine = {"tls_certificate": tmp_path / "client.pem", "tls_key": tmp_path / "client.key"}
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=context)
    try:
        async with transport(str(server.make_url("/")), tls_ca=tmp_path / "ca.pem", **mine) as link:
            assert (await link.send(ASK, deadline=in_seconds(10))).body == b"client"
            issue("renewed", tmp_path, authority)
            for end in ("pem", "key"):
                (tmp_path / f"renewed.{end}").replace(tmp_path / f"client.{end}")
            link.reload()
            assert (await link.send(ASK, deadline=in_seconds(10))).body == b"renewed"
            (tmp_path / "client.pem").write_text("nothing")
            with pytest.raises(ConfigurationError, match="tls_certificate"):
                link.reload()
            assert (await link.send(ASK, deadline=in_seconds(10))).body == b"renewed"
            issue("client", tmp_path, authority)
        async with transport(str(server.make_url("/")), tls_ca=tmp_path / "other.pem", **mine) as link:
            with pytest.raises(Undelivered):
                await link.send(ASK, deadline=in_seconds(10))
        async with transport(str(server.make_url("/")), tls_ca=tmp_path / "ca.pem") as link:
            with pytest.raises(UpstreamUnavailable):
                await link.send(ASK, deadline=in_seconds(10))
    finally:
        await server.close()
