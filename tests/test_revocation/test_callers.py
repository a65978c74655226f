"""Registered signing certificates of callers, where a trust domain has to vouch for them as well."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from adapters.endpoint_trust import trusts_in_callers
from adapters.revocation import RevocationKeeper
from config.settings import Callers, ConfigurationError, Revocation, Settings
from routes.context import CALLER, PEER, Peer
from routes.signed import Signatures, read_signed_json
from routes.trust_findings import trust_findings
from schemas.errors import SignatureRejected
from schemas.exchange import CallerSignature
from security.administration import add
from security.client_store import store
from security.clients import Client
from security.credentials import certificate_credential
from security.http_signing import key_id, sign_request
from security.registry import ClientRegistry
from security.request_signatures import CallerUnsettled, RequestSignatures
from security.signature_base import HttpRequest
from sync.database import open_storage, upgrade
from tests.test_revocation.conftest import Place, fresh
from tests.test_revocation.issuing import DAY, GOOD, NOW, REVOKED, Holder
from tests.test_revocation.two_domains import GOVERNMENT, PUBLIC, Files, two


class Office:
    """One client with signing certificates, and what judges its requests."""

    def __init__(self, registry: ClientRegistry, client: Client) -> None:
        self.client = client
        self.caller = client.caller(client.credentials[0])
        self.signatures = RequestSignatures(registry)

    def verify(self, holder: Holder) -> CallerSignature:
        request = HttpRequest("POST", "https", "gateway.example.vn", "/v1/x", {"content-type": ["a/b"]}, b"{}")
        headers = sign_request(request, holder.key, key_id(holder.certificate))
        fields = {**request.fields, **{name.lower(): [value] for name, value in headers.items()}}
        return self.signatures.verify(replace(request, fields=fields), self.caller)

    def refused(self, holder: Holder) -> SignatureRejected:
        with pytest.raises(SignatureRejected) as error:
            self.verify(holder)
        return error.value


@asynccontextmanager
async def opened(tmp_path: Path, *registered: Holder) -> AsyncIterator[Office]:
    url = f"sqlite:///{tmp_path / 'lgsp.sqlite'}"
    await upgrade(url)
    storage = await open_storage(url)
    credentials = [certificate_credential(one.certificate, datetime.now(UTC), signs=True) for one in registered]
    change = add("ministry", name="A ministry", agency="G12", credentials=credentials, by="test")
    await storage.write(lambda connection: store(connection, change.client))
    registry = ClientRegistry(storage)
    await registry.refresh()
    yield Office(registry, change.client)
    await storage.close()


OURS, THEIRS, NOBODYS = PUBLIC.issue("Bộ"), GOVERNMENT.issue("Bộ"), Holder.root("Bộ")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path, OURS, THEIRS) as made:
        yield made


async def test_without_a_domain_to_be_registered_is_enough(office: Office) -> None:
    for holder in (OURS, THEIRS):
        found = office.verify(holder)
        assert (found.domain, found.revocation) == (None, None)
    assert office.refused(NOBODYS).reason == "untrusted"


async def test_with_domains_one_of_them_has_to_vouch(office: Office, files: Files) -> None:
    domains = two(files)
    office.signatures.believe(trusts_in_callers(["public"], domains))
    assert office.verify(OURS).domain == "public"
    assert office.refused(THEIRS).reason == "untrusted"
    # Registration is asked first: who is vouched for, but not registered, signs for nobody.
    assert office.refused(PUBLIC.issue("Bộ")).reason == "untrusted"
    office.signatures.believe(trusts_in_callers(["public", "government"], domains))
    assert (office.verify(OURS).domain, office.verify(THEIRS).domain) == ("public", "government")


async def test_a_revoked_certificate_signs_no_more(office: Office, files: Files) -> None:
    domains = two(files, revocation="check", from_certificates=False)
    office.signatures.believe(trusts_in_callers(["public", "government"], domains))
    assert office.refused(OURS).reason == "untrusted"
    registers = domains.registers()
    registers["public"].take_list(PUBLIC.crl())
    registers["government"].take_list(GOVERNMENT.crl(THEIRS))
    found = office.verify(OURS)
    assert (found.domain, found.revocation) == ("public", "good")
    # What its own domain says counts, not that the other one does not know it.
    for names in (["public", "government"], ["government", "public"]):
        office.signatures.believe(trusts_in_callers(names, domains))
        assert office.refused(THEIRS).reason == "revoked"


async def test_a_domain_that_there_is_none_of_is_refused_at_the_start_and_by_check(files: Files) -> None:
    with pytest.raises(ConfigurationError, match=r"\[callers\] domains: there is no section \[trust\.private\]"):
        trusts_in_callers(["private"], two(files))
    found = list(trust_findings(Settings(callers=Callers(domains=("private",)))))
    assert [(one.level, one.subject, bool(one.next)) for one in found] == [("problem", "callers.domains", True)]


class Asked:
    """A route that takes signed requests, over HTTP, and a keeper that asks about the caller's certificate."""

    def __init__(self, office: Office, keeper: RevocationKeeper) -> None:
        self.office = office
        self.signatures = Signatures(office.signatures.verify, keeper.settle)

    async def answer(self, request: web.Request) -> web.Response:
        request[PEER] = Peer("127.0.0.1", "http")
        request[CALLER] = self.office.caller
        try:
            _, signed = await read_signed_json(request, 2_000_000, self.signatures, lambda body: body)
        except SignatureRejected as error:
            return web.json_response({"reason": error.reason, "asked": isinstance(error, CallerUnsettled)})
        return web.json_response({"revocation": signed.revocation})

    async def send(self, client: TestClient[Any, Any], holder: Holder, size: int = 2) -> Any:
        body = b"[" + b" " * (size - 2) + b"]"
        host = f"{client.host}:{client.port}"
        request = HttpRequest("POST", "http", host, "/", {"content-type": ["application/json"]}, body)
        headers = sign_request(request, holder.key, key_id(holder.certificate))
        sent = {"Content-Type": "application/json", **headers}
        async with client.post("/", data=body, headers=sent) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.json()


@pytest.mark.parametrize("status", [GOOD, REVOKED, None], ids=["good", "revoked", "silent"])
@pytest.mark.parametrize("size", [2, 200_000])
async def test_a_caller_never_seen_before_is_asked_about(
    place: Place, tmp_path: Path, files: Files, status: Any, size: int
) -> None:
    holder = place.issue(PUBLIC, "Bộ", after=NOW + 9 * DAY)
    place.answer = None if status is None else fresh(status)
    domains = two(files, revocation="check")
    keeper = RevocationKeeper(domains, Revocation(directory=tmp_path / "revocation"))
    await keeper.begin()
    async with opened(tmp_path, holder) as made:
        made.signatures.believe(trusts_in_callers(["public"], domains))
        asked = Asked(made, keeper)
        app = web.Application(client_max_size=2_000_000)
        app.router.add_post("/", asked.answer)
        async with TestClient(TestServer(app)) as client:
            told = await asked.send(client, holder, size)
            expected = {GOOD: {"revocation": "good"}, REVOKED: {"reason": "revoked", "asked": False}}
            assert told == expected.get(status, {"reason": "untrusted", "asked": False})
            assert await asked.send(client, holder, size) == told
    await keeper.close()
    assert place.asked == (["ocsp"] if status is not None else ["ocsp", "crl"])
