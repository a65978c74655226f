"""The token endpoint over a real socket, with real evidence: what RFC 6749 promises and what hostile input gets."""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import select

from security.administration import revoke, rotate
from security.assertions import ASSERTION_TYPE
from security.audit.tables import ENTRIES
from security.client_store import revoke_token, revoked_since
from security.credentials import key_credential
from security.registry import ClientRegistry

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Start = Callable[..., Awaitable[TestClient[Any, Any]]]


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


async def ask(client: TestClient[Any, Any], **form: str) -> ClientResponse:
    return await client.post("/oauth2/token", data={"grant_type": "client_credentials"} | form)


async def entries(deployment: Any, kind: str = "token") -> list[dict[str, Any]]:
    bodies = await deployment.storage.read(
        lambda connection: (
            connection.execute(select(ENTRIES.c.body).where(ENTRIES.c.kind == kind).order_by(ENTRIES.c.idx))
            .scalars()
            .all()
        )
    )
    return [json.loads(body) for body in bodies]


async def failure(response: ClientResponse) -> tuple[int, str]:
    """Status and error code of a refusal, after checking what every refusal has (RFC 6749 section 5.2)."""
    content = await response.json()
    assert response.headers["Cache-Control"] == "no-store"
    assert set(content) <= {"error", "error_description"}
    assert all(32 <= ord(letter) < 127 and letter not in '"\\' for letter in content["error_description"])
    assert ("WWW-Authenticate" in response.headers) == (response.status == 401)
    return response.status, content["error"]


async def test_a_secret_gets_a_token_by_form_and_by_basic(deployment: Any, start: Start) -> None:
    await deployment.add()
    secret = deployment.secrets["ministry"]
    client = await start()
    for response in (
        await ask(client, client_id="ministry", client_secret=secret),
        await client.post(
            "/oauth2/token", data={"grant_type": "client_credentials"}, headers=basic("ministry", secret)
        ),
        await client.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials", "client_id": "ministry", "scope": "", "unknown": "x"},
            headers=basic("mini%73try", quote(secret, safe="")),
        ),
    ):
        assert response.status == 200
        content = await response.json()
        assert (content["token_type"], content["expires_in"]) == ("Bearer", 600)
        assert set(content) == {"access_token", "token_type", "expires_in"}
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Pragma"] == "no-cache"
        shown = await client.get("/v1/me", headers={"Authorization": f"Bearer {content['access_token']}"})
        assert shown.status == 200
        assert (await shown.json())["client_id"] == "ministry"
    written = await entries(deployment)
    assert [entry["outcome"] for entry in written] == [{"code": "ok", "status": 200}] * 3
    assert written[0]["caller"]["client"] == "ministry"
    assert written[0]["details"]["token"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, (401, "invalid_client")),
        ({"client_id": "ministry"}, (401, "invalid_client")),
        ({"client_id": "ministry", "client_secret": "wrong"}, (401, "invalid_client")),
        ({"client_id": "nobody", "client_secret": "SECRET"}, (401, "invalid_client")),
        ({"client_id": "ministry", "client_secret": ""}, (401, "invalid_client")),
        ({"client_id": "ministry", "client_secret": "SECRET", "grant_type": ""}, (400, "invalid_request")),
        (
            {"client_id": "ministry", "client_secret": "SECRET", "grant_type": "password"},
            (400, "unsupported_grant_type"),
        ),
        ({"client_id": "ministry", "client_secret": "SECRET", "scope": "all"}, (400, "invalid_scope")),
        ({"client_assertion": "a.b.c"}, (400, "invalid_request")),
        ({"client_assertion_type": ASSERTION_TYPE}, (400, "invalid_request")),
        ({"client_assertion": "a.b.c", "client_assertion_type": "x"}, (400, "invalid_request")),
        ({"client_assertion": "a.b.c", "client_assertion_type": ASSERTION_TYPE}, (401, "invalid_client")),
        (
            {"client_id": "ministry", "client_secret": "SECRET", "client_assertion": "a.b.c"},
            (400, "invalid_request"),
        ),
        ({"client_id": "minis\0try", "client_secret": "SECRET"}, (400, "invalid_request")),
        ({"client_id": "ministry", "client_secret": "\ud7ff\u200b"}, (400, "invalid_request")),
    ],
)
async def test_refusals_are_those_of_the_rfc(
    deployment: Any, start: Start, form: dict[str, str], expected: tuple[int, str]
) -> None:
    await deployment.add()
    secret = deployment.secrets["ministry"]
    client = await start()
    sent = {name: secret if value == "SECRET" else value for name, value in form.items()}
    assert await failure(await ask(client, **sent)) == expected


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", FORM, 401),
        (b"grant_type=client_credentials&grant_type=client_credentials", FORM, 400),
        (b"grant_type=client_credentials&client_id=a&client_id=b", FORM, 400),
        (b"grant_type=client_credentials&client_id=%ff", FORM, 400),
        (b"grant_type=client_credentials&client_id=\xff", FORM, 400),
        (b"grant_type", FORM, 400),
        (b"&&&", FORM, 400),
        (b"&".join(b"a%d=b" % number for number in range(100)), FORM, 400),
        (b"grant_type=client_credentials&x=" + b"y" * 20_000, FORM, 413),
        (b'{"grant_type":"client_credentials"}', {"Content-Type": "application/json"}, 400),
        (b"grant_type=client_credentials", {"Content-Type": "text/plain"}, 400),
        (b"grant_type=client_credentials", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-16"}, 400),
        (b"\x1f\x8b\x08\x00", FORM | {"Content-Encoding": "gzip"}, 400),
        (b"grant_type=client_credentials", FORM | {"Authorization": "Basic"}, 401),
        (b"grant_type=client_credentials", FORM | {"Authorization": "Basic !!!!"}, 401),
        (b"grant_type=client_credentials", FORM | {"Authorization": "Basic /////w=="}, 401),
        (
            b"grant_type=client_credentials",
            FORM | {"Authorization": "Basic " + base64.b64encode(b"nocolon").decode()},
            401,
        ),
        (b"grant_type=client_credentials", FORM | {"Authorization": "Bearer a.b.c"}, 401),
        (b"grant_type=client_credentials&client_secret=x", FORM | {"Authorization": "Basic eDp5"}, 400),
        (b"grant_type=client_credentials&client_id=z", FORM | {"Authorization": "Basic eDp5"}, 400),
    ],
)
async def test_hostile_bodies_and_headers_are_refused(
    start: Start, body: bytes, headers: dict[str, str], status: int
) -> None:
    client = await start()
    response = await client.post("/oauth2/token", data=body, headers=headers, skip_auto_headers=["Content-Type"])
    assert (await failure(response))[0] == status


@given(body=st.binary(max_size=300), begin=st.sampled_from(["", "grant_type=client_credentials&client_id=ministry&"]))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_bytes_make_it_stumble(running: TestClient[Any, Any], body: bytes, begin: str) -> None:
    response = await running.post("/oauth2/token", data=begin.encode() + body, headers=FORM)
    assert (await failure(response))[0] in (400, 401)


@pytest.fixture
async def running(start: Start) -> TestClient[Any, Any]:
    return await start()


async def test_parameters_do_not_belong_in_the_url(deployment: Any, start: Start) -> None:
    await deployment.add()
    form = {"client_id": "ministry", "client_secret": deployment.secrets["ministry"]}
    client = await start()
    response = await client.post(f"/oauth2/token?{urlencode(form)}", data={"grant_type": "client_credentials"})
    assert await failure(response) == (400, "invalid_request")
    assert (await client.get("/oauth2/token")).status == 405


async def test_who_proved_nothing_leaves_no_entry_but_a_count(deployment: Any, start: Start) -> None:
    client_of_ours = await deployment.add()
    client = await start()
    await ask(client, client_id="ministry", client_secret="wrong")
    await ask(client, client_id="nobody", client_secret="wrong")
    await ask(client)
    await client.post("/oauth2/token", headers=FORM | basic("ministry", "wrong"))
    assert await entries(deployment) == []
    here = "127.0.0.1"
    assert deployment.counted == [
        ("unknown", here, "ministry"),
        ("unknown", here, None),
        ("missing", here, None),
        ("unknown", here, "ministry"),
    ]
    # Whoever proved to be a client and is refused all the same leaves an entry.
    await ask(client, client_id="ministry", client_secret=deployment.secrets["ministry"], scope="all")
    (entry,) = await entries(deployment)
    assert entry["outcome"] == {"code": "invalid_scope", "status": 400}
    assert entry["caller"]["client"] == client_of_ours.client_id


async def test_expired_and_revoked_credentials_are_told_to_their_holder(deployment: Any, start: Start) -> None:
    client_of_ours = await deployment.add()
    old = deployment.secrets["ministry"]
    client_of_ours = await deployment.commit(rotate(client_of_ours, timedelta(0), by="test"))
    client = await start()
    response = await ask(client, client_id="ministry", client_secret=old)
    assert "expired" in (await response.json())["error_description"]
    await deployment.commit(revoke(client_of_ours, by="test"))
    response = await ask(client, client_id="ministry", client_secret=deployment.secrets["ministry"])
    assert (response.status, (await response.json())["error"]) == (401, "invalid_client")
    assert "revoked" in (await response.json())["error_description"]


async def test_no_evidence_no_token(deployment: Any, start: Start) -> None:
    await deployment.add()
    client = await start(failing=True)
    for scope in ("", "all"):
        response = await ask(client, client_id="ministry", client_secret=deployment.secrets["ministry"], scope=scope)
        assert response.status == 503
        assert await response.json() == {"error": "temporarily_unavailable"}
        assert response.headers["Retry-After"] == "1"


async def test_a_signed_assertion_gets_a_token_once(deployment: Any, start: Start) -> None:
    key = ECKey.generate_key("P-256")
    await deployment.add(secret=False, credentials=[key_credential(key.as_dict(private=False), datetime.now(UTC))])
    client = await start()
    now = int(time.time())
    claims = {"iss": "ministry", "sub": "ministry", "aud": "https://gateway.test", "jti": "1", "exp": now + 60}
    form = {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": jwt.encode({"alg": "ES256"}, claims, key, algorithms=["ES256"]),
    }
    answers = await asyncio.gather(*(ask(client, **form) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    (entry,) = await entries(deployment)
    assert entry["caller"]["credential"].startswith("private-key-jwt:jwk-")


async def test_metadata_and_keys_are_published(start: Start) -> None:
    client = await start()
    described = await (await client.get("/.well-known/oauth-authorization-server")).json()
    assert described["issuer"] == "https://gateway.test"
    assert described["token_endpoint"] == "https://gateway.test/oauth2/token"
    assert described["jwks_uri"] == "https://gateway.test/.well-known/jwks.json"
    assert described["grant_types_supported"] == ["client_credentials"]
    (key,) = (await (await client.get("/.well-known/jwks.json")).json(content_type=None))["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert "d" not in key


async def test_a_client_ends_its_own_token_and_nobody_elses(deployment: Any, start: Start) -> None:
    await deployment.add()
    await deployment.add("other")
    client = await start()

    async def token() -> str:
        response = await ask(client, client_id="ministry", client_secret=deployment.secrets["ministry"])
        issued: str = (await response.json())["access_token"]
        return issued

    async def end(client_id: str, **form: str) -> ClientResponse:
        given = {"client_id": client_id, "client_secret": deployment.secrets[client_id]}
        return await client.post("/oauth2/revoke", data=given | form)

    async def status(token: str) -> tuple[int, str | None]:
        response = await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
        return response.status, (await response.json()).get("reason")

    first, second = await token(), await token()
    assert await failure(await end("other", token=first)) == (400, "unauthorized_client")
    assert await failure(await end("ministry")) == (400, "invalid_request")
    assert await status(first) == (200, None)
    node = ClientRegistry(deployment.storage)
    await node.refresh()
    for _ in range(2):
        assert (await end("ministry", token=first, token_type_hint="access_token")).status == 200
    assert await status(first) == (401, "revoked")
    assert await status(second) == (200, None)
    assert (await end("ministry", token="nonsense")).status == 200
    response = await client.post("/oauth2/revoke", data={"client_id": "ministry", "token": second})
    assert await failure(response) == (401, "invalid_client")
    assert await status(second) == (200, None)

    # Another node learns of it, and the evidence names the token and not its text.
    ended = deployment.tokens.verify(first).token_id
    assert not node.ended(ended)
    await node.refresh()
    assert node.ended(ended)
    assert [entry["details"]["revoked"] for entry in await entries(deployment) if "revoked" in entry.get("details", {})]
    assert all(first not in json.dumps(entry) for entry in await entries(deployment))


async def test_ended_tokens_are_forgotten_once_they_would_have_expired(deployment: Any) -> None:
    async def end(token_id: str, expires_at: int, now: int) -> None:
        await deployment.storage.write(lambda connection: revoke_token(connection, token_id, expires_at, now))
        await deployment.registry.refresh()

    now = int(time.time())
    await end("a", now + 600, now)
    await end("b", now - 1, now)
    assert deployment.registry.ended("a")
    assert not deployment.registry.ended("b")
    await end("c", now + 900, now + 700)
    assert deployment.registry.ended("c")
    rows = await deployment.storage.read(lambda connection: revoked_since(connection, 0))
    assert [token_id for _, token_id, _ in rows] == ["c"]
    await end("d", now + 900, now + 700)
    assert deployment.registry.ended("d")
