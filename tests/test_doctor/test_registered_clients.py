"""Registered clients whose certificates would be refused: in the TLS handshake, or when they sign requests."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from config.settings import Callers, Domain, Server, Settings, Tls, XroadProvider
from routes.caller_findings import accepted, vouched
from routes.xroad_findings import server_findings, waiting
from security.clients import Client, StoredCredential
from security.credentials import certificate_credential, subject_credential, xroad_credential
from tests.test_doctor.papers import CLIENT, SERVER, Paper, paper
from tests.test_revocation.issuing import DAY, NOW, Holder, pem, usage


def client(name: str, *credentials: Any) -> Client:
    return Client(client_id=name, name=name, agency="H26", created_at=datetime.now(UTC), credentials=credentials)


def asking(directory: Path, authority: Paper | None, **server: Any) -> Settings:
    own = paper("gateway")
    ca = authority.file(directory) if authority else None
    tls = Tls(certificate=own.file(directory), key=own.key_file(directory), client_ca=ca)
    return Settings().model_copy(update={"server": Server(tls=tls, **server)})


def test_clients_that_the_face_would_refuse(tmp_path: Path) -> None:
    now, root, other = datetime.now(UTC), paper("Root CA", ca=True), paper("Other CA", ca=True)
    clients = [
        client("fine", subject_credential("CN=a", root.certificate, now)),
        client("foreign", subject_credential("CN=b", other.certificate, now)),
        client("pinned", certificate_credential(paper("c", root).certificate, now)),
    ]
    (finding,) = accepted(clients, asking(tmp_path, root))
    assert (finding.subject, finding.level, finding.code) == ("client foreign", "problem", "client-unknown-authority")
    assert '"Other CA"' in finding.text
    assert "lgsp reload" in (finding.next or "")
    assert [one.code for one in accepted(clients[:1], asking(tmp_path, None))] == ["client-ca-missing"]
    assert list(accepted(clients, asking(tmp_path, root, trusted_proxies=("10.0.0.1",)))) == []


@pytest.fixture
def root() -> Holder:
    return Holder.root()


def believing(directory: Path, root: Holder, *names: str, **domain: Any) -> Settings:
    anchor = directory / "root.pem"
    anchor.write_bytes(pem(root.certificate))
    trust = {"public": Domain(**{"anchors": (anchor,), "revocation": "off", **domain})}
    return Settings().model_copy(update={"trust": trust, "callers": Callers(domains=names)})


def signing(name: str, holder: Holder) -> Client:
    return client(name, certificate_credential(holder.certificate, datetime.now(UTC), signs=True))


def by_an_older_release(name: str, holder: Holder) -> Client:
    """Registered without a look at what its certificate is made for."""
    der = holder.certificate.public_bytes(Encoding.DER)
    digest = sha256(der).hexdigest()
    material = {"sha256": digest, "certificate": b64encode(der).decode()}
    return client(name, StoredCredential("signature", f"signature-sha256:{digest}", material, datetime.now(UTC)))


def test_clients_whose_signatures_nobody_vouches_for(tmp_path: Path, root: Holder) -> None:
    clients = [
        signing("fine", root.issue()),
        signing("foreign", Holder.root("CA khác").issue()),
        by_an_older_release("use", root.issue(said=usage("key_encipherment"))),
        signing("over", root.issue(before=NOW - 9 * DAY, after=NOW - DAY)),
    ]
    findings = list(vouched(clients, believing(tmp_path, root, "public")))
    assert [(one.subject, one.level, one.code) for one in findings] == [
        ("client foreign", "problem", "client-not-vouched"),
        ("client use", "problem", "client-not-vouched"),
    ]
    assert "no path leads" in findings[0].text
    assert "lgsp clients register foreign --signing-certificate FILE" in (findings[0].next or "")
    assert list(vouched(clients, believing(tmp_path, root))) == []


def test_what_has_to_be_asked_about_first_is_not_refused(tmp_path: Path, root: Holder) -> None:
    asked = root.issue(ocsp_url="http://127.0.0.1:1/ocsp")
    settings = believing(tmp_path, root, "public", revocation="check")
    assert list(vouched([signing("asked", asked)], settings)) == []
    (finding,) = vouched([signing("silent", root.issue())], settings)
    assert "nobody says whether" in finding.text


def test_domains_that_cannot_be_read_are_told_once(tmp_path: Path, root: Holder) -> None:
    (finding,) = vouched([signing("a", root.issue()), signing("b", root.issue())], believing(tmp_path, root, "other"))
    assert (finding.subject, finding.code) == ("callers.domains", "trust-unusable")


def test_an_x_road_client_without_a_security_server_is_said(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    named = xroad_credential("VN/GOV/H26/DVC", now)
    clients = [client("office", named), client("ended", replace(named, revoked_at=now)), client("other")]
    (finding,) = waiting(clients, Settings())
    assert (finding.level, finding.code, finding.subject) == ("warning", "client-no-security-server", "client office")
    assert "xroad.servers" in (finding.next or "")
    assert list(waiting(clients, Settings(xroad=XroadProvider(servers=(tmp_path / "ss.pem",))))) == []
    (unreachable,) = server_findings(Settings(xroad=XroadProvider(servers=(tmp_path / "ss.pem",))))
    assert (unreachable.level, "neither server.tls nor a trusted proxy" in unreachable.text) == ("problem", True)


def test_a_security_server_has_to_be_a_tls_client_too(tmp_path: Path) -> None:
    """A certificate that an authority made for servers is refused in the handshake, pinned or not."""
    levels = {}
    for name, uses in {"server": (SERVER,), "both": (SERVER, CLIENT), "any": ()}.items():
        path = paper(name, purposes=uses).file(tmp_path)
        given = asking(tmp_path, None).model_copy(update={"xroad": XroadProvider(servers=(path,))})
        (finding,) = server_findings(given)
        levels[name] = finding.level
    assert levels == {"server": "problem", "both": "ok", "any": "ok"}
