"""Which connections are a security server's: pinned certificates, direct and behind a proxy, until they end."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from config.settings import ConfigurationError, Settings, Tls, XroadProvider
from routes.expiry import certificate_expiries
from routes.listening import tls_context
from schemas.errors import Unauthenticated
from security.security_servers import SecurityServers, load_servers
from tests.test_gateway.live import Live, lgsp
from tests.test_xroad.gateway import Behind

NOW = datetime.now(UTC)


class Server:
    """A security server's key, its certificate made by itself as X-Road's installation does, or by an authority."""

    def __init__(
        self, name: str, *, by: Server | None = None, begins: int = -10, days: int = 20, client: bool = True
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begin = NOW + timedelta(days=begins)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(by.name if by else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=days))
        )
        if not client:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        self.certificate = builder.sign(by.key if by else self.key, hashes.SHA256())
        self.der = self.certificate.public_bytes(Encoding.DER)
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def files(self, folder: Path) -> tuple[Path, Path]:
        certificate, key = folder / f"{id(self)}.pem", folder / f"{id(self)}.key"
        certificate.write_bytes(self.pem)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key


def test_only_what_is_pinned_and_in_its_time_counts() -> None:
    good, ended, early, other = Server("a"), Server("b", begins=-30), Server("c", begins=1), Server("a")
    servers = SecurityServers([good.certificate, ended.certificate, early.certificate])
    assert good.der in servers
    servers.check(good.der)
    assert other.der not in servers
    assert None not in servers
    for one in (ended, early):
        assert one.der in servers
        with pytest.raises(Unauthenticated) as refused:
            servers.check(one.der)
        assert refused.value.reason == "expired"
    servers.take([other.certificate])
    assert (good.der in servers, other.der in servers) == (False, True)


def test_a_file_may_hold_several_and_one_without_any_is_named(tmp_path: Path) -> None:
    several, empty = tmp_path / "several.pem", tmp_path / "empty.pem"
    several.write_bytes(Server("a").pem + Server("b").pem)
    empty.write_text("nothing")
    assert len(load_servers(XroadProvider(servers=(several,)))) == 2
    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(ConfigurationError, match=rf"xroad\.servers: .*{path.name}"):
            load_servers(XroadProvider(servers=(several, path)))


def test_their_ends_are_watched(tmp_path: Path) -> None:
    path = tmp_path / "ss.pem"
    path.write_bytes(Server("a", days=300).pem + Server("b", days=13).pem)
    (found,) = certificate_expiries(Settings(xroad=XroadProvider(servers=(path,))), NOW)
    assert (found.name, found.left(NOW).days, found.paired) == ("xroad.servers", 2, False)


async def shaken(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes | None:
    """The client's certificate as the server saw it; raises ssl.SSLError or ConnectionError where it was refused."""
    seen: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        seen.set_result(tls.getpeercert(binary_form=True))
        writer.write(b"x")
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server)
    async with listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname(), ssl=client)
        try:
            # In TLS 1.3 the refusal comes after the client's own handshake is over.
            if await reader.read() != b"x":
                raise ConnectionError
        finally:
            writer.transport.abort()
        return await seen


async def test_a_pinned_certificate_needs_no_authority(tmp_path: Path) -> None:
    """X-Road's servers make their own certificates, or get them of an authority that is nobody to us."""
    authority = Server("somebody's CA")
    gateway, itself, issued, other = Server("gateway"), Server("ss1"), Server("ss2", by=authority), Server("ss1")
    stranger, no_client = Server("ss3", by=authority), Server("ss4", client=False)
    pinned = [one.files(tmp_path)[0] for one in (itself, issued, no_client)]
    own = gateway.files(tmp_path)
    server = tls_context(Tls(certificate=own[0], key=own[1]), pinned)

    def client(one: Server | None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if one is not None:
            context.load_cert_chain(*one.files(tmp_path))
        return context

    assert await shaken(server, client(itself)) == itself.der
    assert await shaken(server, client(issued)) == issued.der
    assert await shaken(server, client(None)) is None
    for refused in (other, stranger, no_client):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shaken(server, client(refused))
    unasked = tls_context(Tls(certificate=own[0], key=own[1]))
    assert await shaken(unasked, client(itself)) is None


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A demo that believes a proxy on this machine."""
    state = tmp_path_factory.mktemp("proxied") / "state"
    demo = Live(state, seed=7, people=20, environment={"LGSP_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]'})
    yield demo
    assert demo.stop() == 0


async def test_a_trusted_proxy_hands_it_over_and_a_reload_takes_a_new_one(proxied: Live) -> None:
    behind = Behind(proxied)
    renewed, ended = Server("ss"), Server("ss", begins=-30)
    config, pinned = proxied.described["config"], Path(proxied.described["xroad"]["certificate"])
    first = x509.load_pem_x509_certificate(pinned.read_bytes()).public_bytes(Encoding.DER)

    async def asked(der: bytes) -> tuple[int, str | None]:
        header = ("Client-Cert", f":{base64.b64encode(der).decode()}:")
        reply = await behind.send([*behind.rest().items(), header], url=str(proxied.described["gateway"]))
        return reply.status, None if reply.status == 200 else reply.problem["reason"]

    assert await asked(first) == (200, None)
    assert await asked(renewed.der) == (401, "unknown")
    pinned.write_bytes(renewed.pem + ended.pem)
    done = await asyncio.to_thread(lgsp, "reload", "--config", config)
    assert done.returncode == 0, done.stderr
    until = time.monotonic() + 90
    while (now := await asked(renewed.der)) != (200, None):
        assert time.monotonic() < until, now
    assert await asked(first) == (401, "unknown")
    assert await asked(ended.der) == (401, "expired")
    checked = await asyncio.to_thread(lgsp, "check", "--config", config, "--json")
    told = [one for one in json.loads(checked.stdout)["findings"] if one["subject"] == "xroad.servers"]
    assert [one["level"] for one in told] == ["ok", "problem"]
    assert "ended" in told[1]["text"]


async def test_from_anybody_else_client_cert_is_no_certificate(behind: Behind) -> None:
    server = x509.load_pem_x509_certificate(Path(behind.live.described["xroad"]["certificate"]).read_bytes())
    header = ("Client-Cert", f":{base64.b64encode(server.public_bytes(Encoding.DER)).decode()}:")
    reply = await behind.send([*behind.rest().items(), header], url=str(behind.live.described["gateway"]))
    assert (reply.status, reply.problem["reason"]) == (401, "missing")
