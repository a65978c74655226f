"""Our own TLS face as callers see it: name, use, chain, what runs, and the reasons for which callers were refused."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import AuthorityInformationAccessOID

from config.settings import Server, Settings, Tls
from routes.face_findings import face
from routes.findings import Finding
from routes.frame import setup
from routes.health import add_health
from routes.listening import Serving, running
from routes.refusal_findings import explained, local
from tests.test_doctor.papers import CLIENT, Paper, paper

CODES_OF_WHAT_RUNS = {"face-not-running", "face-shown", "gateway-not-running", "handshakes-fine"}


@pytest.fixture(scope="module")
def root() -> Paper:
    return paper("Root CA", ca=True)


def settings(directory: Path, own: Paper, *chain: Paper, asks: Paper | None = None, **server: Any) -> Settings:
    tls = Tls(
        certificate=own.file(directory, *chain),
        key=own.key_file(directory),
        client_ca=asks.file(directory) if asks else None,
        listen="127.0.0.1:0",
    )
    return Settings().model_copy(update={"server": Server(**{"listen": "127.0.0.1:0", "tls": tls, **server})})


async def found(given: Settings) -> list[Finding]:
    findings = [finding for finding in await face(given) if finding.code not in CODES_OF_WHAT_RUNS]
    assert all((finding.next is None) == (finding.level == "ok") for finding in findings)
    return findings


async def test_a_face_that_is_in_order_says_nothing(root: Paper, tmp_path: Path) -> None:
    own = paper("gateway", root, hosts=("lgsp.example.gov.vn",))
    assert await found(settings(tmp_path, own, public_url="https://lgsp.example.gov.vn")) == []


async def test_a_name_that_callers_do_not_use(root: Paper, tmp_path: Path) -> None:
    own = paper("gateway", root, hosts=("old.example.gov.vn",))
    (finding,) = await found(settings(tmp_path, own, public_url="https://lgsp.example.gov.vn"))
    assert (finding.level, finding.code) == ("problem", "face-name-mismatch")
    assert "made for old.example.gov.vn, but callers use lgsp.example.gov.vn" in finding.text


async def test_behind_a_proxy_the_name_is_the_proxy_s(root: Paper, tmp_path: Path) -> None:
    own = paper("gateway", root, hosts=("inside",))
    url = "https://lgsp.example.gov.vn"
    assert await found(settings(tmp_path, own, public_url=url, trusted_proxies=("127.0.0.1",))) == []


@pytest.mark.parametrize("options", [{"purposes": (CLIENT,)}, {"ca": True}])
async def test_a_certificate_for_another_use(root: Paper, tmp_path: Path, options: Any) -> None:
    (finding,) = await found(settings(tmp_path, paper("gateway", root, **options)))
    assert (finding.level, finding.code) == ("problem", "face-wrong-usage")
    assert "TLS servers" in (finding.next or "")


def naming_its_issuer(issuer: Paper) -> Paper:
    plain = paper("gateway", issuer)
    where = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example/ca.cer")
    )
    builder = x509.CertificateBuilder(
        plain.certificate.issuer,
        plain.certificate.subject,
        plain.certificate.public_key(),
        plain.certificate.serial_number,
        plain.certificate.not_valid_before_utc,
        plain.certificate.not_valid_after_utc,
        [*plain.certificate.extensions, x509.Extension(x509.AuthorityInformationAccess.oid, False, where_of(where))],
    )
    return Paper(builder.sign(issuer.key, SHA256()), plain.key)


def where_of(access: x509.AccessDescription) -> x509.AuthorityInformationAccess:
    return x509.AuthorityInformationAccess([access])


async def test_an_intermediate_that_callers_would_miss(root: Paper, tmp_path: Path) -> None:
    between = paper("Issuing CA", root, ca=True)
    own = naming_its_issuer(between)
    (finding,) = await found(settings(tmp_path, own))
    assert (finding.level, finding.code) == ("warning", "face-missing-intermediate")
    assert '"Issuing CA"' in finding.text
    assert "lgsp reload" in (finding.next or "")
    assert await found(settings(tmp_path, own, between)) == []


@asynccontextmanager
async def serving(given: Settings) -> AsyncIterator[tuple[Serving, Settings]]:
    """Run the real listener, and give the settings with the ports that it got."""
    app = web.Application()
    setup(app, given.server)
    add_health(app.router, ())
    async with running(given, app) as one:
        assert given.server.tls is not None
        listen = {role: f"{host}:{port}" for role, (host, port) in one.addresses.items()}
        tls = given.server.tls.model_copy(update={"listen": listen["tls"]})
        server = given.server.model_copy(update={"listen": listen["http"], "tls": tls})
        yield one, given.model_copy(update={"server": server})


async def attempt(serving: Serving, **client: Any) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for load, given in client.items():
        getattr(context, load)(*given)
    try:
        reader, writer = await asyncio.open_connection(*serving.addresses["tls"], ssl=context)
        await reader.read()
        writer.transport.abort()
    except (OSError, asyncio.IncompleteReadError):
        pass


async def test_what_runs_has_another_certificate_than_the_file(root: Paper, tmp_path: Path) -> None:
    own, renewed = paper("gateway", root), paper("gateway", root)
    async with serving(settings(tmp_path, own)) as (_, given):
        assert given.server.tls is not None
        assert {one.code for one in await face(given)} >= {"face-shown"}
        given.server.tls.certificate.write_bytes(renewed.pem)
        given.server.tls.key.write_bytes(renewed.key_file(tmp_path).read_bytes())
        # Refused callers of other tests in this process are counted too.
        (finding,) = [one for one in await found(given) if one.subject == "server.tls.certificate"]
        assert (finding.level, finding.code, finding.next) == ("warning", "face-not-reloaded", "run `lgsp reload`")


@pytest.mark.parametrize(
    ("who", "code", "step"),
    [
        ("foreign", "client-unknown-authority", "server.tls.client_ca"),
        ("expired", "client-expired", "lgsp clients register"),
        ("future", "client-not-yet-valid", "timedatectl"),
        ("server", "client-wrong-usage", "clientAuth"),
    ],
)
async def test_a_caller_that_was_refused_is_explained(
    root: Paper, tmp_path: Path, who: str, code: str, step: str
) -> None:
    theirs = {
        "foreign": lambda: paper("caller", paper("Other CA", ca=True), purposes=(CLIENT,)),
        "expired": lambda: paper("caller", root, purposes=(CLIENT,), ends=-1),
        "future": lambda: paper("caller", root, purposes=(CLIENT,), begins=1),
        "server": lambda: paper("caller", root),
    }[who]()
    async with serving(settings(tmp_path, paper("gateway", root), asks=root)) as (one, given):
        await attempt(one, load_cert_chain=(theirs.file(tmp_path), theirs.key_file(tmp_path)))
        findings = {finding.code: finding for finding in await face(given)}
    assert (findings[code].level, findings[code].subject) == ("warning", "server.tls")
    assert step in (findings[code].next or "")


async def test_a_gateway_that_does_not_run_is_no_finding(root: Paper, tmp_path: Path) -> None:
    async with serving(settings(tmp_path, paper("gateway", root))) as (_, given):
        pass
    assert {(one.level, one.code) for one in await face(given)} == {
        ("ok", "face-not-running"),
        ("ok", "gateway-not-running"),
    }


async def test_a_tar_pit_in_place_of_the_gateway_holds_nobody_up(
    root: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("face_findings", "refusal_findings"):
        monkeypatch.setattr(f"routes.{module}._PATIENCE_S", 0.2)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    where = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    given = settings(tmp_path, paper("gateway", root), listen=where)
    tls = given.server.tls.model_copy(update={"listen": where})  # type: ignore[union-attr]
    given = given.model_copy(update={"server": given.server.model_copy(update={"tls": tls})})
    async with asyncio.timeout(60):
        codes = {one.code for one in await face(given)}
    server.close()
    assert codes == {"face-not-running", "gateway-not-running"}


def sample(reason: str, verification: str, at: datetime, times: int = 3) -> str:
    labels = f'{{reason="{reason}",verification="{verification}"}}'
    return (
        f"lgsp_tls_handshake_failures_total{labels} {times}.0\n"
        f"lgsp_tls_handshake_failure_timestamp_seconds{labels} {at.timestamp()}\n"
    )


def test_reasons_of_refusals_are_explained_for_a_day() -> None:
    now = datetime.now(UTC)
    text = "".join(
        [
            sample("http_request", "", now - timedelta(hours=1)),
            sample("tlsv1_alert_unknown_ca", "", now - timedelta(hours=2)),
            sample("unsupported_protocol", "", now - timedelta(days=2)),
            sample("closed", "", now),
            sample("certificate_verify_failed", "certificate revoked", now),
        ]
    )
    findings = {finding.code: finding for finding in explained(text, now)}
    assert findings.keys() == {"client-plain-http", "face-not-believed", "client-certificate-refused"}
    assert "3 times since it runs" in findings["client-plain-http"].text
    assert "certificate revoked" in findings["client-certificate-refused"].text


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("0.0.0.0:8443", ("127.0.0.1", 8443)),
        ("[::]:8443", ("::1", 8443)),
        (":8443", ("127.0.0.1", 8443)),
        ("10.0.0.5:1", ("10.0.0.5", 1)),
        ("127.0.0.1:0", None),
    ],
)
def test_where_this_machine_reaches_what_listens(listen: str, address: tuple[str, int] | None) -> None:
    assert local(listen) == address
