"""What keeps TLS with a source from working is told apart, over real connections, each with what to do next."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from datetime import timedelta
from pathlib import Path
from select import select
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256

from config.settings import Endpoint, Timeout
from routes import certificate_facts
from routes.clock_findings import clock_findings
from routes.findings import Finding
from routes.source_findings import Looked, look
from tests.test_doctor.papers import CLIENT, Paper, Talk, answering, listening, paper, secured

QUICK = Timeout(connect=20, read=0.3)
"""For sources that answer nothing: to be connected takes what it takes."""
PATIENT = Timeout(connect=20, read=20)


@pytest.fixture(scope="module")
def root() -> Paper:
    return paper("Root CA", ca=True)


@pytest.fixture(scope="module")
def between(root: Paper) -> Paper:
    return paper("Issuing CA", root, ca=True)


async def looked(url: str, **more: Any) -> Looked:
    return await look("land", Endpoint(url=url, **more))


async def found(
    tls: ssl.SSLContext | None, talk: Talk | None = None, *, host: str = "127.0.0.1", **more: Any
) -> Finding:
    """What is found at a source with this TLS; there is only one thing to say when that fails."""
    async with listening(talk or answering(), tls, host) as url:
        (finding,) = (await looked(url, **more)).findings
    assert finding.subject == "endpoints.land"
    assert (finding.next is None) == (finding.level == "ok")
    return finding


async def test_a_chain_that_leads_to_our_root_is_in_order(root: Paper, between: Paper, tmp_path: Path) -> None:
    tls = secured(tmp_path, paper("land", between), between)
    finding = await found(tls, tls_ca=root.file(tmp_path))
    assert (finding.code, "with TLS" in finding.text) == ("connected", True)


async def test_that_its_certificate_ends_is_said_of_a_source_that_goes_on_to_fail(root: Paper, tmp_path: Path) -> None:
    authorities = root.file(tmp_path)
    mute = secured(tmp_path, paper("land", root, ends=6))
    asking = secured(tmp_path, paper("land", root, ends=6), asks=root)
    for talk, tls, timeout, code in (
        (answering(), mute, PATIENT, "connected"),
        (_mute, mute, QUICK, "no-answer"),
        (answering(), asking, PATIENT, "tls-client-certificate-required"),
    ):
        async with listening(talk, tls) as url:
            findings = (await looked(url, tls_ca=authorities, timeout=timeout)).findings
        assert [one.code for one in findings] == [code, "tls-expires-soon"]


async def test_a_missing_intermediate_is_named(root: Paper, between: Paper, tmp_path: Path) -> None:
    finding = await found(secured(tmp_path, paper("land", between)), tls_ca=root.file(tmp_path))
    assert (finding.level, finding.code) == ("problem", "tls-missing-intermediate")
    assert '"Issuing CA"' in finding.text
    assert "send its whole chain" in (finding.next or "")
    assert "endpoints.land.tls_ca" in (finding.next or "")


async def test_the_root_among_what_is_sent_replaces_no_intermediate(
    root: Paper, between: Paper, tmp_path: Path
) -> None:
    finding = await found(secured(tmp_path, paper("land", between), root), tls_ca=root.file(tmp_path))
    assert finding.code == "tls-missing-intermediate"


async def test_what_we_hold_between_root_and_source_is_not_enough(root: Paper, between: Paper, tmp_path: Path) -> None:
    # From Python 3.13 on an intermediate in `tls_ca` is an anchor of its own.
    finding = await found(secured(tmp_path, paper("land", between)), tls_ca=between.file(tmp_path))
    context = ssl.create_default_context()
    if context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN:
        assert finding.code == "connected"
    else:
        assert (finding.code, '"Root CA"' in (finding.next or "")) == ("tls-unknown-authority", True)


async def test_an_unknown_authority_is_named(between: Paper, tmp_path: Path) -> None:
    tls = secured(tmp_path, paper("land", between), between)
    finding = await found(tls, tls_ca=paper("Another CA", ca=True).file(tmp_path))
    assert (finding.level, finding.code) == ("problem", "tls-unknown-authority")
    assert '"Root CA"' in finding.text
    assert "endpoints.land.tls_ca" in (finding.next or "")


async def test_without_authorities_of_its_own_the_machine_s_count(between: Paper, tmp_path: Path) -> None:
    finding = await found(secured(tmp_path, paper("land", between), between))
    assert finding.code == "tls-unknown-authority"
    assert "this machine's own list" in finding.text


async def test_a_root_that_is_sent_is_no_root_of_ours(root: Paper, between: Paper, tmp_path: Path) -> None:
    tls = secured(tmp_path, paper("land", between), between, root)
    finding = await found(tls, tls_ca=paper("Another CA", ca=True).file(tmp_path))
    assert (finding.code, "ends in the root" in finding.text) == ("tls-unknown-authority", True)


async def test_a_certificate_that_vouches_for_itself(root: Paper, tmp_path: Path) -> None:
    finding = await found(secured(tmp_path, paper("land")), tls_ca=root.file(tmp_path))
    assert (finding.code, "fingerprint" in (finding.next or "")) == ("tls-self-signed", True)


async def test_an_expired_certificate_and_what_time_it_is_there(root: Paper, tmp_path: Path) -> None:
    tls = secured(tmp_path, paper("land", root, ends=-2))
    async with listening(answering(timedelta(days=-30)), tls) as url:
        seen = await looked(url, tls_ca=root.file(tmp_path))
    (finding,) = seen.findings
    assert (finding.code, "it ended 2" in finding.text) == ("tls-expired", True)
    assert "renew" in (finding.next or "")
    # The source has told the time although its certificate is refused: it says that our clock may be the reason.
    (clock,) = clock_findings(seen.clocks)
    assert (clock.level, clock.code) == ("problem", "clock-skew")
    assert "timedatectl" in (clock.next or "")


async def test_an_expired_authority_is_told_from_an_expired_source(between: Paper, tmp_path: Path) -> None:
    old = paper("Old CA", ca=True, begins=-900, ends=-5)
    sent = secured(tmp_path, paper("land", old))
    finding = await found(sent, tls_ca=old.file(tmp_path))
    assert (finding.code, '"Old CA"' in finding.text) == ("tls-expired", True)
    assert "endpoints.land.tls_ca" in (finding.next or "")


async def test_a_certificate_of_tomorrow_points_at_our_clock(root: Paper, tmp_path: Path) -> None:
    finding = await found(secured(tmp_path, paper("land", root, begins=2)), tls_ca=root.file(tmp_path))
    assert (finding.level, finding.code) == ("problem", "tls-not-yet-valid")
    assert "timedatectl" in (finding.next or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_another_name_shows_which_names_it_has(root: Paper, tmp_path: Path, host: str) -> None:
    hosts = ("land.example.gov.vn", "10.0.0.7")
    finding = await found(secured(tmp_path, paper("land", root, hosts=hosts)), host=host, tls_ca=root.file(tmp_path))
    assert (finding.level, finding.code) == ("problem", "tls-name-mismatch")
    assert f"made for land.example.gov.vn, 10.0.0.7, not for {host}" in finding.text
    assert "endpoints.land.url" in (finding.next or "")


@pytest.mark.parametrize(
    ("kind", "text"), [("client", "without serverAuth"), ("authority", "of an authority"), ("chain", "may not issue")]
)
async def test_a_certificate_for_another_use(root: Paper, tmp_path: Path, kind: str, text: str) -> None:
    chain: list[Paper] = []
    match kind:
        case "client":
            own = paper("land", root, purposes=(CLIENT,))
        case "authority":
            own = paper("land", root, ca=True)
        case _:
            chain = [paper("no authority", root)]
            own = paper("land", chain[0])
    finding = await found(secured(tmp_path, own, *chain), tls_ca=root.file(tmp_path))
    assert (finding.level, finding.code) == ("problem", "tls-wrong-usage")
    assert text in finding.text
    assert "ask the source" in (finding.next or "")


async def test_a_weak_certificate(root: Paper, tmp_path: Path) -> None:
    own = paper("land", root, key=rsa.generate_private_key(public_exponent=65537, key_size=1024))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    tls.load_cert_chain(own.file(tmp_path), own.key_file(tmp_path))
    assert (await found(tls, tls_ca=root.file(tmp_path))).code == "tls-weak"


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
async def test_a_source_that_asks_for_our_certificate(root: Paper, tmp_path: Path, version: ssl.TLSVersion) -> None:
    tls = secured(tmp_path, paper("land", root), asks=root)
    tls.minimum_version = tls.maximum_version = version
    finding = await found(tls, tls_ca=root.file(tmp_path))
    expected = {
        ssl.TLSVersion.TLSv1_2: "tls-handshake-refused",
        ssl.TLSVersion.TLSv1_3: "tls-client-certificate-required",
    }
    assert (finding.level, finding.code) == ("problem", expected[version])
    assert "client certificate" in finding.text
    assert "endpoints.land.tls_certificate" in (finding.next or "")


@VERSIONS
@pytest.mark.parametrize("why", ["unknown", "expired", "use"])
async def test_a_source_that_refuses_our_certificate(
    root: Paper, tmp_path: Path, version: ssl.TLSVersion, why: str
) -> None:
    tls = secured(tmp_path, paper("land", root), asks=root)
    tls.minimum_version = tls.maximum_version = version
    ours = {
        "unknown": lambda: paper("gateway", paper("Unknown CA", ca=True), purposes=(CLIENT,)),
        "expired": lambda: paper("gateway", root, purposes=(CLIENT,), ends=-1),
        "use": lambda: paper("gateway", root),
    }[why]()
    finding = await found(
        tls, tls_ca=root.file(tmp_path), tls_certificate=ours.file(tmp_path), tls_key=ours.key_file(tmp_path)
    )
    assert (finding.level, finding.code) == ("problem", "tls-client-certificate-refused"), finding
    assert "openssl x509 -in" in (finding.next or "")


async def test_a_source_that_refuses_no_certificate_asks_for_one(root: Paper, tmp_path: Path) -> None:
    """What TLS libraries say about a certificate that did not come differs; here it is bad_certificate."""
    tls = secured(tmp_path, paper("land", root, hosts=("localhost",)))
    tls.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_BAD_CERTIFICATE
    finding = await found(tls, host="localhost", tls_ca=root.file(tmp_path))
    assert finding.code == "tls-client-certificate-required"
    # gateway.toml is read at the start only.
    assert finding.next is not None
    assert finding.next.endswith("then restart")


async def test_a_source_with_an_old_tls_only(root: Paper, tmp_path: Path) -> None:
    tls = secured(tmp_path, paper("land", root))
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    finding = await found(tls, tls_ca=root.file(tmp_path))
    assert (finding.code, "1.2" in (finding.next or "")) == ("tls-weak-protocol", True)


async def test_a_source_that_is_not_there_under_this_name(root: Paper, tmp_path: Path) -> None:
    tls = secured(tmp_path, paper("land", root, hosts=("localhost",)))
    tls.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    finding = await found(tls, host="localhost", tls_ca=root.file(tmp_path))
    assert (finding.code, "endpoints.land.url" in (finding.next or "")) == ("tls-name-unknown", True)


async def test_https_where_plain_http_is_spoken() -> None:
    async with listening(answering()) as url:
        (finding,) = (await looked(url.replace("http:", "https:"))).findings
    assert (finding.code, "endpoints.land.url" in (finding.next or "")) == ("tls-not-spoken", True)


async def test_a_connection_that_is_cut_in_the_handshake() -> None:
    def cut(connection: socket.socket) -> None:
        connection.recv(65_536)

    async with listening(cut) as url:
        (finding,) = (await looked(url.replace("http:", "https:"))).findings
    assert (finding.code, "client certificate" in (finding.next or "")) == ("tls-handshake-refused", True)


def _mute(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def _dripping(connection: socket.socket) -> None:
    while not select([connection], [], [], 0.01)[0] or connection.recv(65_536):
        connection.sendall(b"X: y\r\n")


async def test_a_tar_pit_holds_nobody_up(root: Paper, tmp_path: Path) -> None:
    tls = secured(tmp_path, paper("land", root))
    authorities = root.file(tmp_path)
    async with asyncio.timeout(60):
        async with listening(_mute) as url:
            # What is waited for before a handshake is waited for before a connection, which has to come about.
            hasty = Timeout(connect=2, read=0.3)
            (no_tls,) = (await looked(url.replace("http:", "https:"), timeout=hasty)).findings
    assert (no_tls.code, "openssl s_client" in (no_tls.next or "")) == ("tls-no-answer", True)
    async with asyncio.timeout(60):
        assert (await found(tls, _mute, tls_ca=authorities, timeout=QUICK)).code == "no-answer"
        assert (await found(tls, _dripping, tls_ca=authorities, timeout=QUICK)).code == "no-answer"
        assert (await found(None, _mute, timeout=QUICK)).code == "no-answer"


async def test_a_wide_setting_does_not_make_the_look_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    # The connection has to come about in it too.
    monkeypatch.setattr("routes.source_findings.PATIENCE_S", 2)
    async with asyncio.timeout(60):
        assert (await found(None, _mute, timeout=Timeout(connect=600, read=600))).code == "no-answer"


def test_of_a_certificate_that_cannot_be_read_nothing_is_said() -> None:
    held = paper("land", hosts=("elsewhere",), purposes=(CLIENT,)).certificate
    twice = [*held.extensions, *(one for one in held.extensions if one.oid == x509.SubjectAlternativeName.oid)]
    times = held.not_valid_before_utc, held.not_valid_after_utc
    key, serial = held.public_key(), held.serial_number
    builder = x509.CertificateBuilder(held.issuer, held.subject, key, serial, *times, twice)
    broken = Paper(builder.sign(paper("CA", ca=True).key, SHA256()), paper("x").key).certificate
    with pytest.raises(x509.DuplicateExtension):
        _ = broken.extensions
    assert certificate_facts.host_names(held) == "elsewhere"
    assert certificate_facts.host_names(broken) == "no host at all"
    assert certificate_facts.purposes(held) == {CLIENT}
    assert certificate_facts.purposes(broken) is None
    assert not certificate_facts.may_sign(broken)


async def test_numbers_of_persons_and_tricks_in_names_are_not_shown(tmp_path: Path) -> None:
    person = (
        x509.NameAttribute(x509.NameOID.USER_ID, "CCCD:001085012345"),
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "001085012345 {0.a}\x1b[31m"),
    )
    unknown = paper("Ông {where} 001085012346", ca=True, more=person)
    finding = await found(secured(tmp_path, paper("land", unknown)), tls_ca=paper("Root", ca=True).file(tmp_path))
    said = f"{finding.text} {finding.next}"
    assert "00108501234" not in said
    assert "\x1b" not in said
    assert "Ông {where} [masked]" in said
