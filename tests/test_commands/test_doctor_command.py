"""`lgsp doctor`: what is wrong with the world is told from what is right, with the reason and the next step."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.settings import Settings, load
from routes.findings import Finding
from routes.surroundings import surroundings
from sandbox.pki import Pki
from tests.test_commands.conftest import Deployment, printed


def examined(settings: Settings) -> dict[str, Finding]:
    """Return the worst finding of each subject."""
    order = ("ok", "warning", "problem")
    found = sorted(asyncio.run(surroundings(settings)), key=lambda finding: order.index(finding.level))
    assert all(finding.next for finding in found if finding.level != "ok")
    return {finding.subject: finding for finding in found}


@contextmanager
def answering(answer: Callable[[], bytes], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer every request with the same bytes, from a thread; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            with raw:
                try:
                    connection = tls.wrap_socket(raw, server_side=True) if tls else raw
                    connection.recv(65_536)
                    connection.sendall(answer())
                    connection.close()
                except OSError:
                    continue

    thread = Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def spoken(off: timedelta = timedelta(0)) -> bytes:
    return f"HTTP/1.1 404 Not Found\r\nDate: {format_datetime(datetime.now(UTC) + off, usegmt=True)}\r\n\r\n".encode()


@pytest.fixture
def settings(deployed: Deployment) -> Settings:
    return load(deployed.file)


def at(settings: Settings, url: str, **more: object) -> Settings:
    """Return the settings with one endpoint only."""
    endpoint = settings.endpoints["land"].model_copy(update={"url": url, **more})
    return settings.model_copy(update={"endpoints": {"land": endpoint}})


@pytest.mark.xdist_group("commands-demo")
def test_a_demo_is_healthy(demo: dict[str, str]) -> None:
    document = printed("doctor", "--config", demo["config"])
    subjects = {finding["subject"] for finding in document["findings"]}
    assert {"endpoints.population", "endpoints.health-card", "clock", "storage", "disk of vault", "expiry"} <= subjects
    assert document["counts"]["problem"] == 0


def test_nobody_listens(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    found = examined(at(settings, f"http://127.0.0.1:{port}"))["endpoints.land"]
    assert (found.level, "no connection" in found.text) == ("problem", True)
    attempt = (found.next or "").split("`")[1]

    def tried() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["/bin/sh", "-c", attempt], capture_output=True, text=True, check=False)

    # Whoever copies the command gets to know the same, with nothing but the Python that is there.
    assert "ConnectionRefusedError" in tried().stderr
    with socket.create_server(("127.0.0.1", port)):
        assert (tried().returncode, f"raddr=('127.0.0.1', {port})" in tried().stdout) == (0, True)


def test_no_such_name(settings: Settings) -> None:
    found = examined(at(settings, "http://registry.invalid:80"))["endpoints.land"]
    assert (found.level, "has no address" in found.text) == ("problem", True)


def test_connected_but_mute(settings: Settings) -> None:
    with answering(lambda: b"") as port:
        found = examined(at(settings, f"http://127.0.0.1:{port}"))["endpoints.land"]
    assert (found.level, "answers nothing" in found.text) == ("problem", True)


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, "ok"), (-20, "warning"), (20, "warning"), (-600, "problem"), (600, "problem")]
)
def test_the_clock_is_compared(settings: Settings, seconds: int, level: str) -> None:
    with answering(lambda: spoken(timedelta(seconds=seconds))) as port:
        assert examined(at(settings, f"http://127.0.0.1:{port}"))["clock"].level == level


def test_an_unknown_authority_and_a_known_one(settings: Settings, tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pair = pki.gateway_tls("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with answering(spoken, context) as port:
        url = f"https://127.0.0.1:{port}"
        known = examined(at(settings, url, tls_ca=pki.gateway_ca))
        assert known["endpoints.land"].level == "ok"
        assert "with TLS" in known["endpoints.land"].text
        unknown = examined(at(settings, url, tls_ca=pki.clients_ca))["endpoints.land"]
        assert (unknown.level, "is refused" in unknown.text) == ("problem", True)
        assert "endpoints.land.tls_ca" in (unknown.next or "")


def test_https_where_plain_http_is_spoken(settings: Settings) -> None:
    with answering(spoken) as port:
        found = examined(at(settings, f"https://127.0.0.1:{port}"))["endpoints.land"]
    assert (found.level, "no TLS" in found.text) == ("problem", True)


def _certificate(path: Path, days: float) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "short")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("days", "level"), [(29.5, "warning"), (-0.5, "problem")])
def test_certificates_near_their_end(settings: Settings, tmp_path: Path, days: float, level: str) -> None:
    short = _certificate(tmp_path / "short.pem", days)
    found = examined(at(settings, "http://127.0.0.1:1", tls_ca=short))["endpoints.land.tls_ca"]
    assert found.level == level
    assert str(short) in (found.next or "")


def test_a_stale_revocation_list(settings: Settings, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(now - timedelta(days=9))
    path = tmp_path / "old.crl"
    made = builder.next_update(now - timedelta(days=2)).sign(key, hashes.SHA256())
    path.write_bytes(made.public_bytes(serialization.Encoding.DER))
    found = examined(at(settings, "http://127.0.0.1:1", crl=(path,)))["endpoints.land.crl"]
    assert (found.level, "revocation list ended" in found.text) == ("problem", True)


def test_storage_that_is_gone_or_full(settings: Settings, deployed: Deployment) -> None:
    full = settings.model_copy(update={"storage": settings.storage.model_copy(update={"reserve": 1 << 62})})
    assert examined(full)["disk of storage"].level == "warning"
    deployed.database.unlink()
    found = examined(settings)["storage"]
    assert (found.level, found.next) == ("problem", "run `lgsp storage upgrade`")


def test_redis_that_does_not_answer(deployed: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    deployed.rewrite('url = ""', f'url = "redis://127.0.0.1:{port}/0"')
    found = examined(load(deployed.file))["redis"]
    assert (found.level, "does not answer" in found.text) == ("problem", True)


def client_findings(deployed: Deployment) -> list[dict[str, Any]]:
    document = printed("doctor", *deployed.config, code=1)
    return [item for item in document["findings"] if item["subject"].startswith("client ")]


def test_a_clients_certificate_near_its_end(deployed: Deployment, tmp_path: Path) -> None:
    paper = _certificate(tmp_path / "client.pem", 10)
    named = ("--name", "Một cửa", "--agency", "H26.12")
    printed("clients", "add", "so-noi-vu", *named, "--certificate", str(paper), *deployed.config)
    (found,) = client_findings(deployed)
    assert (found["level"], found["code"]) == ("warning", "client-certificate-expires-soon")
    assert found["subject"] == "client so-noi-vu (mtls)"
    assert "lgsp clients register so-noi-vu --certificate FILE" in found["next"]
    # With the new one registered beside the old one there is nothing left to do.
    after = _certificate(tmp_path / "renewed.pem", 300)
    printed("clients", "register", "so-noi-vu", "--certificate", str(after), *deployed.config)
    assert client_findings(deployed) == []


def test_every_finding_has_a_code(deployed: Deployment) -> None:
    document = printed("doctor", *deployed.config, code=1)
    assert all(item["code"] for item in document["findings"])
