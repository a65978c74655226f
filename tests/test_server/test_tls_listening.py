"""Direct TLS and mTLS over real sockets: who is seen, what is logged, what a reload changes and what it leaves."""

import asyncio
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509

from config.metrics import render
from config.settings import ConfigurationError
from routes.context import PEER, RELOAD
from routes.frame import setup
from routes.listening import Serving, bind, bind_all, running, tls_context
from tests.test_server.conftest import Authority, authority
from tests.test_server.wire import Answer, receive

QUESTION = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def application(server: Any) -> web.Application:
    app = web.Application()
    setup(app, server)

    async def who(request: web.Request) -> web.Response:
        peer = request[PEER]
        name = ""
        if peer.certificate is not None:
            name = x509.load_der_x509_certificate(peer.certificate).subject.rfc4514_string()
        return web.json_response([peer.scheme, name])

    app.router.add_get("/", who)
    return app


def trusting(ca: Authority, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca.pem)
    if client is not None:
        context.load_cert_chain(*client)
    return context


async def ask(serving: Serving, context: ssl.SSLContext) -> Answer:
    reader, writer = await asyncio.open_connection(*serving.addresses["tls"], ssl=context)
    try:
        writer.write(QUESTION)
        return await receive(reader)
    finally:
        writer.close()


def served_name(serving: Serving, context: ssl.SSLContext) -> Any:
    return asyncio.to_thread(_served_name, serving.addresses["tls"], context)


def _served_name(address: tuple[str, int], context: ssl.SSLContext) -> str:
    with (
        socket.create_connection(address) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(True) or b"").subject.rfc4514_string()


@pytest.fixture
def tls(ca: Authority) -> dict[str, Any]:
    certificate, key = ca.issue("server", server=True)
    return {"certificate": certificate, "key": key, "client_ca": ca.pem, "listen": "127.0.0.1:0"}


@asynccontextmanager
async def secured(settings: Any, app: web.Application | None = None) -> AsyncIterator[Serving]:
    async with running(settings, app or application(settings.server)) as serving:
        yield serving


async def test_a_client_certificate_is_seen_and_none_is_needed(
    settings_with: Any, ca: Authority, tls: dict[str, Any]
) -> None:
    async with secured(settings_with(tls=tls)) as serving:
        assert (await ask(serving, trusting(ca))).json == ["https", ""]
        assert (await ask(serving, trusting(ca, ca.issue("agency")))).json == ["https", "CN=agency"]


@pytest.mark.parametrize(
    ("who", "reason", "verification"),
    [
        ("foreign", "certificate_verify_failed", "unable to get local issuer certificate"),
        ("expired", "certificate_verify_failed", "certificate has expired"),
        ("server", "certificate_verify_failed", "unsuitable certificate purpose"),
    ],
)
async def test_a_failed_handshake_is_explained_in_the_log(
    settings_with: Any,
    ca: Authority,
    rogue: Authority,
    tls: dict[str, Any],
    lines: Any,
    who: str,
    reason: str,
    verification: str,
) -> None:
    client = {
        "foreign": lambda: rogue.issue("client"),
        "expired": lambda: ca.issue("client", days=-1),
        "server": lambda: ca.issue("client", server=True),
    }[who]()
    async with secured(settings_with(tls=tls)) as serving:
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await ask(serving, trusting(ca, client))
        assert (await ask(serving, trusting(ca))).status == 200
    failures = [line for line in lines() if line["event"] == "tls-handshake-failed"]
    assert [(line["reason"], line["verification"]) for line in failures] == [(reason, verification)]
    labels = f'{{reason="{reason}",verification="{verification}"}}'
    assert f"lgsp_tls_handshake_failures_total{labels}".encode() in render()
    assert f"lgsp_tls_handshake_failure_timestamp_seconds{labels}".encode() in render()


async def test_plain_http_on_the_tls_port_is_explained_too(
    settings_with: Any, ca: Authority, tls: dict[str, Any], lines: Any
) -> None:
    async with secured(settings_with(tls=tls)) as serving:
        reader, writer = await asyncio.open_connection(*serving.addresses["tls"])
        writer.write(QUESTION)
        await reader.read()
        writer.close()
    assert [line["reason"] for line in lines() if line["event"] == "tls-handshake-failed"] == ["http_request"]


async def test_old_tls_is_refused(settings_with: Any, ca: Authority, tls: dict[str, Any], lines: Any) -> None:
    context = trusting(ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with secured(settings_with(tls=tls)) as serving:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(serving, context)
    assert [line["reason"] for line in lines() if line["event"] == "tls-handshake-failed"] == ["unsupported_protocol"]


async def test_a_reload_serves_new_certificates_and_keeps_connections(
    settings_with: Any, ca: Authority, tls: dict[str, Any], tmp_path: Path
) -> None:
    settings = settings_with(tls=tls)
    app = application(settings.server)
    reloads: list[None] = []

    async def reload() -> None:
        reloads.append(None)

    app[RELOAD] = reload
    newcomers = authority(tmp_path, "newcomers")
    async with secured(settings, app) as serving:
        reader, writer = await asyncio.open_connection(*serving.addresses["tls"], ssl=trusting(ca))
        writer.write(QUESTION)
        assert (await receive(reader)).status == 200
        certificate, key = ca.issue("renewed", server=True)
        Path(tls["certificate"]).write_bytes(certificate.read_bytes())
        Path(tls["key"]).write_bytes(key.read_bytes())
        anchor = ca.pem.read_bytes()
        Path(tls["client_ca"]).write_bytes(newcomers.pem.read_bytes())
        await serving.reload()
        ca.directory.joinpath("anchor.pem").write_bytes(anchor)
        context = ssl.create_default_context(cafile=ca.directory / "anchor.pem")
        assert await served_name(serving, context) == "CN=renewed"
        context.load_cert_chain(*newcomers.issue("agency"))
        assert (await ask(serving, context)).json == ["https", "CN=agency"]
        context = ssl.create_default_context(cafile=ca.directory / "anchor.pem")
        context.load_cert_chain(*ca.issue("dismissed"))
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await ask(serving, context)
        writer.write(QUESTION)
        assert (await receive(reader)).status == 200
        writer.close()
    assert reloads == [None]


async def test_a_reload_with_unusable_files_keeps_the_old_ones(
    settings_with: Any, ca: Authority, tls: dict[str, Any], lines: Any
) -> None:
    async with secured(settings_with(tls=tls)) as serving:
        Path(tls["key"]).write_text("nonsense")
        await serving.reload()
        assert await served_name(serving, trusting(ca)) == "CN=server"
    assert [line["event"] for line in lines() if line["level"] == "error"] == ["reload-failed"]


def test_unusable_files_are_named(ca: Authority, settings_with: Any, tls: dict[str, Any]) -> None:
    for name in ("certificate", "key", "client_ca"):
        broken = settings_with(tls={**tls, name: "/nowhere/file.pem"}).server.tls
        with pytest.raises(ConfigurationError, match=r"/nowhere/file\.pem"):
            tls_context(broken)
    Path(tls["client_ca"]).write_text("nonsense")
    with pytest.raises(ConfigurationError, match=r"server\.tls\.client_ca"):
        tls_context(settings_with(tls=tls).server.tls)


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:http:1", "127.0.0.1:", "256.0.0.1:80", "127.0.0.1:70000"])
def test_an_address_that_means_nothing_is_named(listen: str) -> None:
    with pytest.raises(ConfigurationError, match=listen.split(":")[0]):
        bind(listen)


def test_an_address_in_use_is_named(settings_with: Any) -> None:
    taken = bind("127.0.0.1:0")
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(ConfigurationError, match="is it in use"):
        bind_all(settings_with(admin_listen=f"127.0.0.1:{port}").server)
    taken.close()
