"""The security-server double before a registry that knows nothing of X-Road: signatures pass through it unharmed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from sandbox import enterprise, population
from sandbox.run import Running, start
from sandbox.world.world import World
from security.signature import SignaturePolicy
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts
from security.trust import AnchoredTrust, load_certificates
from tests.test_registries_rest.wiring import Client
from tests.test_sandbox.visitor import Visitor, person_question
from tests.test_xroad.double.asking import ask, header_names, post
from tests.test_xroad.double.consumer import ConsumerServer
from tests.test_xroad.double.messages import REST_HEADERS, fields
from tests.test_xroad.double.provider_link import Service
from tests.test_xroad.double.vocabulary import IDENTIFIERS, XROAD

SERVICE = "TraCuuThongTinCongDan"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Running]:
    running = await start(World(7, 20), tmp_path, registries=(population.REGISTRY, enterprise.REGISTRY))
    yield running
    await running.close()


async def test_a_signed_question_and_its_signed_answer_pass_through(sandbox: Running) -> None:
    async with ClientSession() as session:
        visitor = Visitor(sandbox, session)
        number = sandbox.world.person(1).personal_id or ""
        url = f"{sandbox.urls['population']}{population.PATH}"
        named = fields().replace("FindPerson", SERVICE)
        for tag in ("client", "service", "id", "userId", "issue", "protocolVersion"):
            named = named.replace(f"<xrd:{tag}", f'<xrd:{tag} xmlns:xrd="{XROAD}" xmlns:id="{IDENTIFIERS}"')
        signed = sign_soap_parts(person_question(number).encode(), visitor.key, unsigned_headers=named.encode())
        services = {SERVICE: Service("soap", url, adds=visitor.proof)}
        async with ConsumerServer(services, foreign_wrappers=True) as server:
            _, answer = await post(server, signed.envelope)
            assert server.violations == []
    assert header_names(answer)[:4] == ["client", "service", "id", "requestHash"]
    trust = AnchoredTrust(
        load_certificates(sandbox.pki.registries_ca),
        subject=load_certificates(sandbox.pki.registry("population").certificate)[0].subject,
    )
    verified = verify_soap(answer, SignaturePolicy(), trust, confirms=signed.signature_value)
    assert any(each.text == number for each in verified.element.iter())


async def test_a_rest_registry_is_asked_with_the_askers_own_token(sandbox: Running) -> None:
    async with ClientSession() as session:
        token = await Client(session, sandbox).token("enterprise")
        services = {"dkdn": Service("rest", sandbox.urls["enterprise"])}
        async with ConsumerServer(services) as server:
            headers = (*REST_HEADERS, ("Authorization", f"Bearer {token}"))
            status, answered, _ = await ask(server, "/r1/VN/GOV/G02/LGSP/dkdn/nowhere", headers)
            assert server.violations == []
    assert status == 404
    assert "X-Road-Error" not in dict(answered)
