"""How callers prove who they are, how much they may ask, and in which language they are told what is wrong."""

import asyncio
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector

from tests.test_gateway.live import Caller, Live, Reply

PERSON = "population/person"


async def test_a_token_is_given_as_oauth_says(caller: Caller) -> None:
    reply = await caller.grant("ministry")
    assert reply.status == 200
    assert reply.json.keys() == {"access_token", "token_type", "expires_in"}
    assert (reply.json["token_type"], reply.json["expires_in"]) == ("Bearer", 600)
    assert reply.headers["Cache-Control"] == "no-store"


async def test_a_token_is_refused_as_oauth_says(caller: Caller) -> None:
    reply = await caller.grant("ministry", "lgsp_wrong")
    assert (reply.status, reply.json["error"]) == (401, "invalid_client")
    assert reply.headers["WWW-Authenticate"].startswith("Basic ")
    papers = caller.live.described["clients"]["ministry"]
    form = {"client_id": papers["client_id"], "client_secret": papers["client_secret"]}
    good = await caller.send("POST", "/oauth2/token", data={"grant_type": "client_credentials", **form})
    assert good.status == 200
    for wrong, error in (
        ({"grant_type": "password", **form}, "unsupported_grant_type"),
        (form, "invalid_request"),
        ({"grant_type": "client_credentials", **form, "scope": "all"}, "invalid_scope"),
    ):
        reply = await caller.send("POST", "/oauth2/token", data=wrong)
        assert (reply.status, reply.json["error"]) == (400, error)


async def test_the_server_describes_itself(caller: Caller) -> None:
    metadata = (await caller.send("GET", "/.well-known/oauth-authorization-server")).json
    assert metadata["token_endpoint"] == f"{caller.url}/oauth2/token"
    async with caller.session.get(metadata["jwks_uri"]) as answer:
        (key, *_) = (await answer.json())["keys"]
    assert (key["kty"], key["crv"]) == ("EC", "P-256")
    assert "d" not in key


async def test_who_is_unknown_is_told_how_to_become_known(caller: Caller) -> None:
    token = await caller.token()
    head, body, signature = token.split(".")
    changed = "A" if signature[0] != "A" else "B"
    forged = f"{head}.{body}.{changed}{signature[1:]}"
    unsigned = "eyJhbGciOiJub25lIn0." + body + "."
    reply = await caller.ask(PERSON, headers={"Authorization": None})
    assert (reply.status, reply.problem["code"]) == (401, "unauthenticated")
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="lgsp"'
    assert "receipt" not in reply.problem
    for wrong in ("Bearer x", f"Bearer {forged}", f"Bearer {unsigned}", "Bearer", "Digest x", f"Bearer {token} x"):
        reply = await caller.ask(PERSON, headers={"Authorization": wrong})
        assert (reply.status, reply.problem["code"]) == (401, "unauthenticated"), wrong
        assert reply.headers["WWW-Authenticate"].startswith('Bearer realm="lgsp"')
    assert (await caller.ask(PERSON)).status == 200


def tls(live: Live, client: str | None) -> TCPConnector:
    context = ssl.create_default_context(cafile=live.described["trust"]["gateway"])
    if client is not None:
        papers = live.described["clients"][client]
        context.load_cert_chain(papers["certificate"], papers["key"])
    return TCPConnector(ssl=context)


async def over_tls(live: Live, client: str | None, **headers: str) -> Reply:
    sample = live.described["samples"][PERSON]
    async with ClientSession(connector=tls(live, client)) as session:
        url = f"{live.described['gateway_tls']}/v1/{PERSON}"
        async with session.post(url, json=sample["body"], headers={**sample["headers"], **headers}) as answer:
            return Reply(answer.status, answer.headers, await answer.read())


async def test_a_client_certificate_is_proof_enough(live: Live) -> None:
    reply = await over_tls(live, "ministry")
    assert (reply.status, reply.json["data"]) == (200, live.described["samples"][PERSON]["data"])
    reply = await over_tls(live, "auditor")
    assert (reply.status, reply.problem["code"]) == (403, "refused")
    assert (await over_tls(live, None)).status == 401


async def test_a_token_serves_over_tls_too(caller: Caller, live: Live) -> None:
    reply = await over_tls(live, None, Authorization=f"Bearer {await caller.token()}")
    assert reply.status == 200


async def test_a_certificate_header_from_anybody_proves_nothing(caller: Caller, live: Live) -> None:
    papers = live.described["clients"]["ministry"]
    pem = Path(papers["certificate"]).read_text()
    der = "".join(line for line in pem.splitlines() if not line.startswith("-"))
    reply = await caller.ask(PERSON, headers={"Authorization": None, "Client-Cert": f":{der}:"})
    assert reply.status == 401


async def test_limits_are_announced_and_kept(caller: Caller) -> None:
    headers = {"Lgsp-Purpose": "identity-verification"}
    # The slower the machine, the more have to come at once to be too many.
    for count in (40, 100, 250):
        replies = await asyncio.gather(*(caller.ask(PERSON, client="limited", headers=headers) for _ in range(count)))
        if any(reply.status == 429 for reply in replies):
            break
    refused = [reply for reply in replies if reply.status == 429]
    assert refused
    assert {reply.status for reply in replies} <= {200, 429}
    for reply in refused:
        assert reply.problem["code"] == "too-many-requests"
        assert "RateLimit" in reply.headers
    for reply in replies:
        assert reply.headers["RateLimit-Policy"]
    assert (await caller.ask(PERSON)).status == 200
    until = time.monotonic() + 60
    reply = refused[0]
    while reply.status == 429 and time.monotonic() < until:
        await asyncio.sleep(float(reply.headers["Retry-After"]))
        reply = await caller.ask(PERSON, client="limited", headers=headers)
    assert reply.status == 200


@pytest.mark.parametrize(
    ("wanted", "language"),
    [(None, "vi"), ("en", "en"), ("en-GB, vi;q=0.5", "en"), ("vi, en;q=0.9", "vi"), ("fr", "vi"), ("*", "vi")],
)
async def test_errors_speak_the_callers_language(caller: Caller, wanted: str | None, language: str) -> None:
    reply = await caller.ask("tax/taxpayer", {"tax_code": "x"}, headers={"Accept-Language": wanted})
    titles = {"vi": "Yêu cầu có giá trị không hợp lệ", "en": "The request holds invalid values"}
    assert reply.headers["Content-Language"] == language
    assert reply.problem["title"] == titles[language]


async def test_every_problem_type_opens_a_page(caller: Caller, live: Live) -> None:
    kinds = set()
    cases: dict[str, Any] = live.described["cases"]
    for name, persons in cases.items():
        for person in persons:
            if person["status"] != 200:
                kinds.add((await caller.ask(name, person["body"])).problem["type"])
    assert kinds
    for kind in kinds:
        async with caller.session.get(kind) as answer:
            assert answer.status == 200
            assert answer.content_type == "text/html"
