"""`lgsp doctor` beside a running demo: what registries, the authority and callers do wrong is what it says."""

import asyncio
import json
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from yarl import URL

from config.settings import load
from routes.findings import Finding
from routes.surroundings import surroundings
from tests.test_doctor.papers import CLIENT, paper
from tests.test_gateway.live import Caller, lgsp
from tests.test_gateway.test_e2e_signed import Signing


async def doctor(caller: Caller) -> list[Finding]:
    """What it finds, without the seconds that a command takes to start."""
    findings = await surroundings(load(Path(caller.live.described["config"])))
    assert all(found.code and (found.next or found.level == "ok") for found in findings)
    return findings


async def test_the_command_shows_no_value_of_anybody(caller: Caller) -> None:
    asked = {value for sample in caller.samples.values() for value in sample["body"].values() if isinstance(value, str)}
    for name in ("population/person", "tax/taxpayer"):
        assert (await caller.ask(name)).status == 200
    done = await asyncio.to_thread(lgsp, "doctor", "--json", "--config", caller.live.described["config"])
    assert done.returncode in (0, 1), done.stderr
    assert {"clock-agrees", "ocsp-answers", "face-shown"} <= {
        one["code"] for one in json.loads(done.stdout)["findings"]
    }
    assert not [value for value in asked if len(value) > 8 and value in done.stdout + done.stderr]


async def test_refused_answers_and_what_became_of_them(caller: Caller) -> None:
    await caller.fault("tax", "expired-cert")
    try:
        assert (await caller.ask("tax/taxpayer")).problem["reason"] == "expired"
        # What other tests made other sources answer is of this day too.
        found = {each.code: each for each in await doctor(caller) if each.subject == "endpoints.tax"}
        assert found["answers-expired"].level == "problem"
    finally:
        await caller.healed(["tax"])
    found = {each.code: each for each in await doctor(caller) if each.subject == "endpoints.tax"}
    assert found["answers-expired"].level == "warning"


async def test_a_caller_whose_clock_is_wrong(caller: Caller) -> None:
    reply = await Signing(caller, "ministry").ask(created=int(time.time()) - 400)
    assert (reply.problem["code"], reply.problem["reason"]) == ("signature-rejected", "stale")
    (found,) = [each for each in await doctor(caller) if each.code == "requests-stale"]
    assert (found.subject, found.level) == ("client ministry", "warning")
    assert "clock" in (found.next or "")


def site(certificate: Path) -> URL:
    """Where the authority of a certificate answers."""
    held = x509.load_pem_x509_certificate(certificate.read_bytes())
    access = held.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    (place,) = [one for one in access if one.access_method == AuthorityInformationAccessOID.OCSP]
    return URL(place.access_location.value).origin()


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ("try-later", {"ocsp-unavailable"}),
        ("unknown", {"ocsp-unknown", "revocation-unknown"}),
        ("wrong-signer", {"ocsp-unusable", "crl-unusable", "revocation-unknown"}),
        ("stale", {"ocsp-unusable", "crl-stale", "revocation-unknown"}),
        ("down", {"ocsp-unreachable", "crl-unreachable", "revocation-unknown"}),
    ],
)
async def test_an_authority_that_misbehaves(caller: Caller, fault: str, codes: set[str]) -> None:
    faults = site(caller.live.state / "pki" / "registry-land.pem") / "_faults"
    async with caller.session.put(faults, json={"fault": fault}) as answer:
        assert answer.status == 200
    try:
        found = await doctor(caller)
    finally:
        async with caller.session.put(faults, json={"fault": None}) as answer:
            assert answer.status == 200
    about = [each for each in found if each.subject in ("trust.registries", "endpoints.land.signer")]
    assert {each.code for each in about if each.level != "ok"} == codes


async def test_a_caller_that_the_tls_face_refused(caller: Caller, tmp_path: Path) -> None:
    foreign = paper("caller", paper("Other CA", ca=True), purposes=(CLIENT,))
    context = ssl.create_default_context(cafile=caller.live.described["trust"]["gateway"])
    context.load_cert_chain(foreign.file(tmp_path), foreign.key_file(tmp_path))
    gateway = URL(caller.live.described["gateway_tls"])

    async def talk() -> None:
        reader, writer = await asyncio.open_connection(gateway.host, gateway.port, ssl=context)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readexactly(1)

    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await talk()
    found = {each.code: each for each in await doctor(caller)}
    assert found["client-unknown-authority"].subject == "server.tls"
    assert "server.tls.client_ca" in (found["client-unknown-authority"].next or "")
