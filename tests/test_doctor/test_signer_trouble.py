"""Whether expected signers would be believed: usage, place in the trust domains, revocation as responders tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from config.settings import Domain, Endpoint, Expected, Revocation, Settings
from routes.certificate_facts import shown
from routes.findings import Finding
from routes.signer_findings import signers
from tests.test_doctor.papers import CLIENT, SERVER, paper
from tests.test_revocation.conftest import Place, fresh, lists, now
from tests.test_revocation.issuing import DAY, NOW, REVOKED, UNKNOWN, Holder, der, pem, usage

OTHERS = {"ocsp-answers", "crl-current", "crl-unreachable"}


@dataclass
class World:
    """Two trust domains in files, and findings about an endpoint that expects a signer of the first."""

    folder: Path
    root: Holder
    authority: Holder
    stranger: Holder

    def written(self, *holders: Holder) -> Path:
        path = self.folder / f"{holders[0].certificate.serial_number}.pem"
        path.write_bytes(pem(*(one.certificate for one in holders)))
        return path

    def listed(self, issuer: Holder, *revoked: Holder, **options: Any) -> Path:
        path = self.folder / f"{issuer.certificate.serial_number}.crl"
        path.write_bytes(issuer.crl(*revoked, **options).public_bytes(Encoding.DER))
        return path

    def settings(self, *signer: Holder, endpoint: Any = None, seconds: float = 5.0, **domain: Any) -> Settings:
        public = {
            "anchors": (self.written(self.root),),
            "intermediates": (self.written(self.authority),),
            "crl": (self.listed(self.root),),
        }
        government = Domain(anchors=(self.written(self.stranger),))
        expecting = {
            "url": "http://127.0.0.1:1",
            "domain": "public",
            "signer": self.written(*signer),
            **(endpoint or {}),
        }
        return Settings().model_copy(
            update={
                "trust": {"public": Domain(**{**public, **domain}), "government": government},
                "revocation": Revocation(timeout=seconds),
                "endpoints": {"land": Endpoint(**expecting)},
            }
        )

    async def found(self, *signer: Holder, **more: Any) -> list[Finding]:
        findings = await signers(self.settings(*signer, **more))
        assert all(finding.code for finding in findings)
        assert all((finding.next is None) == (finding.level == "ok") for finding in findings)
        return findings

    async def judged(self, *signer: Holder, **more: Any) -> Finding:
        """The one finding about the signer itself."""
        about = [one for one in await self.found(*signer, **more) if one.subject == "endpoints.land.signer"]
        (finding,) = about
        return finding


@pytest.fixture
def world(tmp_path: Path) -> World:
    root = Holder.root()
    return World(tmp_path, root, root.authority(), Holder.root("CA chuyên dùng"))


def by_code(findings: list[Finding]) -> dict[str | None, Finding]:
    return {finding.code: finding for finding in findings}


async def test_a_signer_that_is_vouched_for_is_believed(world: World, place: Place) -> None:
    place.answer, place.listed = fresh(), lists(world.authority)
    findings = await world.found(place.issue(world.authority))
    assert {(one.level, one.code) for one in findings} == {
        ("ok", "ocsp-answers"),
        ("ok", "crl-current"),
        ("ok", "signer-believed"),
    }


async def test_a_silent_list_beside_a_responder_that_answers_is_a_warning(world: World, place: Place) -> None:
    place.answer = fresh()
    findings = by_code(await world.found(place.issue(world.authority)))
    assert (findings["crl-unreachable"].level, findings["signer-believed"].level) == ("warning", "ok")
    assert "curl -sv" in (findings["crl-unreachable"].next or "")


@pytest.mark.parametrize("silence", ["refuse", "accept"])
async def test_nobody_answers(world: World, place: Place, silence: str) -> None:
    findings = await world.found(place.issue(world.authority), when_silent=silence)
    level = "problem" if silence == "refuse" else "warning"
    assert sorted((one.subject, one.level, one.code) for one in findings) == [
        ("endpoints.land.signer", level, "revocation-unknown"),
        ("trust.public", level, "crl-unreachable"),
        ("trust.public", level, "ocsp-unreachable"),
        ("trust.public", level, "revocation-unknown"),
    ]
    assert any("when_silent" in (one.next or "") for one in findings) == (silence == "refuse")


async def test_a_responder_that_never_answers_is_given_up(world: World, place: Place) -> None:
    place.wait = asyncio.Event()
    async with asyncio.timeout(60):
        findings = by_code(await world.found(place.issue(world.authority), seconds=0.3))
    assert {"ocsp-unreachable", "crl-unreachable"} <= findings.keys()


def refusing(status: ocsp.OCSPResponseStatus) -> Callable[..., bytes]:
    return lambda *_: der(ocsp.OCSPResponseBuilder.build_unsuccessful(status))


@pytest.mark.parametrize(
    ("status", "code", "step"),
    [
        (ocsp.OCSPResponseStatus.UNAUTHORIZED, "ocsp-refused", "trust.public.ocsp_url"),
        (ocsp.OCSPResponseStatus.MALFORMED_REQUEST, "ocsp-refused", "trust.public.ocsp_url"),
        (ocsp.OCSPResponseStatus.TRY_LATER, "ocsp-unavailable", "later"),
    ],
)
async def test_a_responder_that_refuses(world: World, place: Place, status: Any, code: str, step: str) -> None:
    place.answer = refusing(status)
    finding = by_code(await world.found(place.issue(world.authority)))[code]
    assert (finding.level, finding.subject) == ("problem", "trust.public")
    assert status.name.lower().replace("_", " ") in finding.text
    assert step in (finding.next or "")


@pytest.mark.parametrize(
    ("what", "text", "step"),
    [
        ("page", "no OCSP responder", "trust.public.ocsp_url"),
        ("stranger", "neither the issuer", "whether this is its responder"),
        ("another", "something else than the one certificate", "whether this is its responder"),
        ("unsigned", "signature of the answer does not fit", "whether this is its responder"),
        ("future", "from the future", "timedatectl"),
        ("old", "out of date", "timedatectl"),
    ],
)
async def test_an_answer_that_proves_nothing(world: World, place: Place, what: str, text: str, step: str) -> None:
    def unsigned(*given: Any) -> bytes:
        signed = fresh()(*given)
        return signed[:-1] + bytes([signed[-1] ^ 1])

    place.answer = {
        "page": lambda *_: web.Response(text="<html>Proxy</html>"),
        "stranger": fresh(responder=world.stranger.responder()),
        "another": fresh(issuer=world.stranger),
        "unsigned": unsigned,
        "future": fresh(since=now() + DAY, until=now() + 2 * DAY),
        "old": fresh(since=now() - 3 * DAY, until=now() - 2 * DAY),
    }[what]
    finding = by_code(await world.found(place.issue(world.authority)))["ocsp-unusable"]
    assert text in finding.text
    assert step in (finding.next or "")
    # Only where times are in question, our own may be the wrong one.
    assert ("timedatectl" in (finding.next or "")) == (what in ("future", "old"))


@pytest.mark.parametrize("encoding", list(ocsp.OCSPResponderEncoding))
async def test_a_responder_that_may_not_answer_is_named(world: World, place: Place, encoding: Any) -> None:
    other = world.stranger.responder()
    place.answer = fresh(responder=other, certificates=[other.certificate], encoding=encoding)
    finding = by_code(await world.found(place.issue(world.authority)))["ocsp-unusable"]
    assert f"{shown(other.certificate.subject)} at {place.ocsp_url}" in finding.text
    assert shown(world.authority.certificate.subject) in (finding.next or "")
    assert "trust.public.ocsp_url" in (finding.next or "")


async def test_where_redirects_lead_is_told_since_nobody_follows_them(world: World, place: Place) -> None:
    place.answer = lambda *_: web.Response(status=302, headers={"Location": "http://ocsp.example/final"})
    place.listed = lambda: web.Response(status=301)
    findings = by_code(await world.found(place.issue(world.authority)))
    responder, served = findings["ocsp-unreachable"], findings["crl-unreachable"]
    assert all("Redirects are not followed" in one.text for one in (responder, served))
    assert "final address, http://ocsp.example/final," in (responder.next or "")
    assert "write it to trust.public.ocsp_url" in (responder.next or "")
    assert "write it to trust.public.crl_urls" in (served.next or "")
    assert not any("let this machine reach it" in (one.next or "") for one in (responder, served))


async def test_who_was_reached_is_not_to_be_let_out_to(world: World, place: Place) -> None:
    signer = place.issue(world.authority, crl_urls=["http://127.0.0.1:1/ca.crl"])
    findings = by_code(await world.found(signer))
    assert "it was reached" in (findings["ocsp-unreachable"].next or "")
    assert "let this machine reach it" in (findings["crl-unreachable"].next or "")


@pytest.mark.parametrize(("left", "code"), [(6, "ocsp-responder-expires-soon"), (8, "ocsp-answers")])
async def test_a_responder_whose_certificate_ends(world: World, place: Place, left: int, code: str) -> None:
    responder = world.authority.responder(before=NOW - 80 * DAY, after=NOW + left * DAY)
    place.answer, place.listed = fresh(responder=responder), lists(world.authority)
    findings = await world.found(place.issue(world.authority))
    assert {one.code for one in findings} == {code, "crl-current", "signer-believed"}


async def test_a_responder_that_does_not_know_the_certificate(world: World, place: Place) -> None:
    place.answer, place.listed = fresh(UNKNOWN), lists(world.authority)
    findings = await world.found(place.issue(world.authority))
    assert {one.level for one in findings if one.code == "ocsp-unknown"} == {"problem"}
    (signer,) = [one for one in findings if one.subject == "endpoints.land.signer"]
    assert (signer.level, signer.code) == ("problem", "revocation-unknown")
    assert "does not know" in signer.text


@pytest.mark.parametrize("by", ["ocsp", "crl"])
async def test_a_revoked_signer(world: World, place: Place, by: str) -> None:
    signer = place.issue(world.authority)
    if by == "ocsp":
        place.answer = fresh(REVOKED)
    else:
        place.listed = lists(world.authority, signer)
    finding = await world.judged(signer)
    assert (finding.level, finding.code) == ("problem", "signer-revoked")
    assert "ask the source for its new certificate" in (finding.next or "")


@pytest.mark.parametrize(
    ("since", "until", "code", "level"),
    [
        (-9 * DAY, -2 * DAY, "crl-stale", "problem"),
        (-40 * DAY, 10 * DAY, "crl-old", "warning"),
        (-1 * DAY, 1 * DAY, "crl-current", "ok"),
    ],
)
async def test_lists_by_their_age(
    world: World, place: Place, since: timedelta, until: timedelta, code: str, level: str
) -> None:
    place.listed = lists(world.authority, since=NOW + since, until=NOW + until)
    finding = by_code(await world.found(place.issue(world.authority, ocsp_url="")))[code]
    assert (finding.level, finding.subject) == (level, "trust.public")
    if code == "crl-stale":
        assert "nextUpdate" in finding.text
        assert "publish its list" in (finding.next or "")


async def test_a_list_of_somebody_else(world: World, place: Place) -> None:
    place.listed = lists(world.stranger)
    finding = by_code(await world.found(place.issue(world.authority, ocsp_url="")))["crl-unusable"]
    assert (finding.level, "trust.public.crl_urls" in (finding.next or "")) == ("problem", True)


async def test_a_stale_list_of_an_endpoint_s_own(world: World) -> None:
    signer = world.authority.issue()
    own = {
        "domain": "",
        "trust": (world.written(world.authority),),
        "crl": (world.listed(world.authority, since=NOW - 9 * DAY, until=NOW - 2 * DAY),),
    }
    finding = await world.judged(signer, endpoint=own)
    assert (finding.code, "out of date" in finding.text) == ("revocation-unknown", True)


async def test_a_signer_whose_issuer_nobody_holds(world: World, place: Place) -> None:
    finding = await world.judged(world.root.authority("CA cấp hai").issue())
    assert (finding.level, finding.code) == ("problem", "signer-missing-intermediate")
    assert '"CA cấp hai, Cơ quan thử"' in finding.text
    assert "trust.public.intermediates" in (finding.next or "")


async def test_a_signer_of_the_other_trust_domain(world: World) -> None:
    finding = await world.judged(world.stranger.issue())
    assert (finding.level, finding.code) == ("problem", "signer-wrong-domain")
    assert "trust domain government; expected is public" in finding.text
    assert 'endpoints.land.domain = "government"' in (finding.next or "")


async def test_a_signer_that_may_not_sign(world: World) -> None:
    finding = await world.judged(world.authority.issue(said=usage("key_encipherment")))
    assert (finding.level, finding.code) == ("problem", "signer-wrong-usage")
    assert "openssl x509 -in" in (finding.next or "")


@pytest.mark.parametrize("how", ["domain", "pinned"])
async def test_an_authority_as_signer(world: World, how: str) -> None:
    endpoint = {"domain": ""} if how == "pinned" else {}
    finding = await world.judged(world.authority, endpoint=endpoint)
    assert (finding.level, finding.code) == ("problem", "signer-is-authority")
    assert "that the source itself signs with" in (finding.next or "")


async def test_a_signer_that_vouches_for_itself(world: World) -> None:
    alone = Holder.root("CSDL thử", said=usage("digital_signature"))
    own = paper("CSDL thử", purposes=())
    path = world.folder / "alone.pem"
    path.write_bytes(own.pem)
    finding = await world.judged(alone, endpoint={"signer": path})
    assert (finding.code, "pinned" in (finding.next or "")) == ("signer-self-signed", True)


@pytest.mark.parametrize("expected", [Expected(subject="CN=Khác"), Expected(agency="G12.18")])
async def test_a_signer_of_another_name(world: World, place: Place, expected: Expected) -> None:
    place.answer = fresh()
    finding = await world.judged(place.issue(world.authority), endpoint={"expect": expected})
    assert (finding.level, finding.code) == ("problem", "signer-name-mismatch")
    assert "endpoints.land.expect" in (finding.next or "")


async def test_an_authority_that_has_ended(world: World, place: Place) -> None:
    place.answer = fresh()
    ended = world.root.authority(before=NOW - 30 * DAY, after=NOW - DAY)
    world.authority = ended
    finding = await world.judged(place.issue(ended))
    assert (finding.level, finding.code) == ("problem", "authority-expired")


async def test_the_successor_is_judged_and_not_who_has_ended(world: World, place: Place) -> None:
    place.answer = fresh()
    old = world.authority.issue(before=NOW - 20 * DAY, after=NOW - DAY)
    finding = await world.judged(old, place.issue(world.authority))
    assert finding.code == "signer-believed"


async def test_a_domain_that_asks_nobody(world: World) -> None:
    findings = by_code(await world.found(world.authority.issue(), revocation="off", crl=()))
    assert (findings["revocation-off"].level, findings["signer-believed"].level) == ("warning", "ok")


async def test_a_domain_that_cannot_be_read(world: World) -> None:
    (finding,) = await world.found(world.authority.issue(), anchors=(world.folder / "nowhere.pem",))
    assert finding.subject == "trust"
    assert (finding.level, finding.code, "nowhere.pem" in finding.text) == ("problem", "trust-unusable", True)
    assert finding.next == "mend the file or the setting that is named, then run `lgsp check`"


@pytest.mark.parametrize(
    ("setting", "options", "code"),
    [
        ("certificate", {"purposes": ()}, None),
        ("certificate", {"signs": False, "purposes": ()}, "own-wrong-usage"),
        ("certificate", {"ca": True}, "own-wrong-usage"),
        ("tls_certificate", {"purposes": (CLIENT,)}, None),
        ("tls_certificate", {"purposes": ()}, None),
        ("tls_certificate", {"purposes": (SERVER,)}, "tls-client-wrong-usage"),
        ("tls_certificate", {"ca": True}, "tls-client-wrong-usage"),
    ],
)
async def test_our_own_certificates(tmp_path: Path, setting: str, options: Any, code: str | None) -> None:
    ours = paper("gateway", **options).file(tmp_path)
    settings = Settings(endpoints={"land": Endpoint(url="http://127.0.0.1:1", **{setting: ours})})
    findings = await signers(settings)
    assert [finding.code for finding in findings] == ([code] if code else [])
    assert all(
        finding.subject == f"endpoints.land.{setting}" and str(ours) in (finding.next or "") for finding in findings
    )
