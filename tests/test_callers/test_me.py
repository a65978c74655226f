"""Callers by certificate, `GET /v1/me`, and the rate limit headers, over real sockets."""

import base64
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config.settings import Server
from routes import frame
from routes.quota import quota
from schemas.exchange import Answer, Database, Exchange, Grant
from security.administration import grant as give
from security.administration import register, rotate
from security.credentials import certificate_credential
from security.limits import LocalLimiter, limited
from security.policy import authorised

Start = Callable[..., Awaitable[TestClient[Any, Any]]]


async def test_a_certificate_from_a_trusted_proxy_gets_a_bound_token(
    deployment: Any, start: Start, authority: Any
) -> None:
    certificate = authority.issue("app")[0]
    header = {"Client-Cert": f":{base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()}:"}
    client_of_ours = await deployment.add(secret=False)
    credential = certificate_credential(certificate, datetime.now(UTC))
    await deployment.commit(register(client_of_ours, credential, by="test"))
    form = {"grant_type": "client_credentials", "client_id": "ministry"}

    plain = await start()
    assert (await plain.post("/oauth2/token", data=form, headers=header)).status == 401

    client = await start(trusted_proxies=("127.0.0.1",))
    response = await client.post("/oauth2/token", data=form, headers=header)
    assert response.status == 200
    token = (await response.json())["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await client.get("/v1/me", headers=bearer | header)).status == 200
    assert (await client.get("/v1/me", headers=header)).status == 200
    assert (await client.get("/v1/me", headers=bearer)).status == 401
    other = authority.issue("app")[0].public_bytes(Encoding.DER)
    stolen = {"Client-Cert": f":{base64.b64encode(other).decode()}:"}
    assert (await client.get("/v1/me", headers=bearer | stolen)).status == 401
    form["client_id"] = "nobody"
    assert (await client.post("/oauth2/token", data=form, headers=header)).status == 401


async def test_mutual_tls_identifies_without_a_token(
    deployment: Any, authority: Any, tmp_path: Path, application: Callable[..., web.Application]
) -> None:
    def write(name: str) -> tuple[Path, Any]:
        certificate, key = authority.issue(name)
        path = tmp_path / f"{name}.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        return path, certificate

    ca = authority.certificate.public_bytes(Encoding.PEM).decode()
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ca)
    ours.load_cert_chain(write("gateway")[0])
    ours.verify_mode = ssl.CERT_OPTIONAL
    path, certificate = write("app")
    client_of_ours = await deployment.add(secret=False)
    credential = certificate_credential(certificate, datetime.now(UTC))
    await deployment.commit(register(client_of_ours, credential, by="test"))
    theirs = ssl.create_default_context(cadata=ca)
    theirs.check_hostname = False
    anonymous = ssl.create_default_context(cadata=ca)
    anonymous.check_hostname = False
    theirs.load_cert_chain(path)
    server = TestServer(application(Server()), scheme="https")
    await server.start_server(ssl=ours)
    async with TestClient(server) as client:
        assert (await client.get("/v1/me", ssl=anonymous, headers={"Connection": "close"})).status == 401
        shown = await client.get("/v1/me", ssl=theirs)
        assert shown.status == 200
        (held,) = (await shown.json())["credentials"]
    assert (held["kind"], held["id"]) == ("mtls", credential.id)
    assert held["not_after"] == certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_me_shows_what_is_live_and_nothing_secret(deployment: Any, start: Start, grant: Grant) -> None:
    held = await deployment.add()
    held = await deployment.commit(
        give(held, replace(grant, officer_required=True, expires_at=datetime(2099, 1, 2, tzinfo=UTC)), by="test")
    )
    gone = replace(
        grant, purposes=frozenset({"benefit-verification"}), expires_at=datetime.now(UTC) - timedelta(days=1)
    )
    held = await deployment.commit(give(held, gone, by="test"))
    held = await deployment.commit(rotate(held, timedelta(0), by="test"))
    client = await start()
    form = {"grant_type": "client_credentials", "client_id": "ministry"}
    response = await client.post("/oauth2/token", data=form | {"client_secret": deployment.secrets["ministry"]})
    bearer = {"Authorization": f"Bearer {(await response.json())['access_token']}"}
    shown = await (await client.get("/v1/me", headers=bearer)).json()
    assert shown == {
        "client_id": "ministry",
        "agency": "G12",
        "credentials": [{"kind": "secret", "id": held.credentials[1].id, "not_after": None}],
        "grants": [
            {
                "database": "store",
                "operation": "thing",
                "purposes": [{"code": "inspection", "title": "Thanh tra, kiểm tra"}],
                "fields": ["code", "place.street"],
                "dossier_required": False,
                "officer_required": True,
                "signature_required": False,
                "rate": 50.0,
                "deadline_ms": 20000,
                "expires_at": "2099-01-02T00:00:00Z",
            }
        ],
    }
    english = await client.get("/v1/me", headers=bearer | {"Accept-Language": "en"})
    assert (await english.json())["grants"][0]["purposes"] == [{"code": "inspection", "title": "Inspection"}]
    nobody = await client.get("/v1/me")
    assert nobody.status == 401
    assert (await nobody.json())["code"] == "unauthenticated"


async def test_rate_limit_headers_are_on_answers_and_on_refusals(
    deployment: Any, start: Start, declared: Database, grant: Grant, tmp_path: Path, aiohttp_client: Any
) -> None:
    held = await deployment.commit(give(await deployment.add(), replace(grant, rate=0.1, burst=1), by="test"))
    caller = held.caller(held.credentials[0])
    limiter = LocalLimiter(tmp_path / "limits")

    async def source(_: Exchange) -> Answer:
        return Answer({})

    handler = authorised(limited(limiter)(source))

    async def ask_thing(_: web.Request) -> web.Response:
        operation = declared.operations[0]
        question = operation.question.model_validate({"code": "A"})
        await handler(
            Exchange(
                id="1",
                database=declared,
                operation=operation,
                question=question,
                caller=caller,
                purpose="inspection",
                asked_at=datetime.now(UTC),
                deadline=0.0,
            )
        )
        return web.json_response({})

    app = web.Application()
    frame.setup(app, Server())
    app.middlewares.append(quota)
    app.router.add_post("/ask", ask_thing)
    client = await aiohttp_client(app)
    answers = [await client.post("/ask") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"store/thing";q=2;w=20'}
    assert [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers] == [
        '"store/thing";r=1',
        '"store/thing";r=0',
        '"store/thing";r=0',
    ]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 10
    limiter.close()
