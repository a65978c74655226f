"""Callers that sign their requests, against a live gateway of two processes; a grant may ask for it."""

import asyncio
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, TCPConnector
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate
from yarl import URL

from security.http_signing import key_id, sign_request
from security.signature_base import HttpRequest
from tests.test_docs.pages import blocks, section, text_of
from tests.test_gateway.live import SIGNING, Caller, Live, Reply, lgsp
from tests.test_request_signatures.callers import make_certificate

PERSON = "population/person"


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    demo = Live(
        tmp_path_factory.mktemp("signing") / "state", seed=7, people=40, environment={"LGSP_SERVER__WORKERS": "2"}
    )
    yield demo
    assert demo.stop() == 0


@pytest.fixture
async def caller(signing: Live, session: ClientSession) -> Caller:  # type: ignore[override]
    return Caller(signing, session)


class Signing:
    """A caller with its key; makes requests, signs them, sends them as they are."""

    def __init__(self, caller: Caller, client: str) -> None:
        self.caller = caller
        self.client = client
        papers = caller.live.described["clients"][client]
        self.key: Any = load_pem_private_key(Path(papers["key"]).read_bytes(), None)
        self.keyid = key_id(load_pem_x509_certificate(Path(papers["certificate"]).read_bytes()))

    async def question(self, name: str = PERSON, query: str = "", **headers: str) -> HttpRequest:
        sample = self.caller.samples[name]
        sent = {
            "authorization": f"Bearer {await self.caller.token(self.client)}",
            "content-type": "application/json",
            **{key.lower(): value for key, value in sample["headers"].items()},
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        body = json.dumps(sample["body"]).encode()
        fields = {key: [value] for key, value in sent.items()}
        return HttpRequest("POST", "http", urlsplit(self.caller.url).netloc, f"/v1/{name}{query}", fields, body)

    def signed(self, request: HttpRequest, **options: Any) -> HttpRequest:
        headers = sign_request(request, self.key, options.pop("keyid", self.keyid), **options)
        return with_headers(request, {key.lower(): value for key, value in headers.items()})

    async def send(self, request: HttpRequest, session: ClientSession | None = None, to: str | None = None) -> Reply:
        url = URL(f"{to or self.caller.url}{request.target}", encoded=True)
        headers = [("Host", request.authority), *((k, v) for k, lines in request.fields.items() for v in lines)]
        session = session or self.caller.session
        async with session.request(request.method, url, data=request.body, headers=headers) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def ask(self, **options: Any) -> Reply:
        return await self.send(self.signed(await self.question(), **options))


def with_headers(request: HttpRequest, headers: Mapping[str, str]) -> HttpRequest:
    return replace(request, fields={**request.fields, **{key: [value] for key, value in headers.items()}})


@pytest.fixture
def ministry(caller: Caller) -> Signing:
    return Signing(caller, "ministry")


def rejected(reply: Reply) -> str:
    """The reason of a refused signature; the refusal stands in the log."""
    problem = reply.problem
    assert (reply.status, problem["code"]) == (403, "signature-rejected")
    assert {"exchange", "receipt"} <= problem.keys()
    reason: str = problem["reason"]
    return reason


async def entry_of(caller: Caller, reply: Reply) -> Any:
    """The log's entry about an exchange, as the command shows it."""
    config = caller.live.described["config"]
    done = await asyncio.to_thread(
        lgsp, "audit", "show", str(reply.json["receipt"]["index"]), "--config", config, "--json"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_a_signed_request_is_answered_and_the_evidence_says_who_signed(ministry: Signing) -> None:
    reply = await ministry.ask()
    assert reply.status == 200, reply.body
    assert reply.json["data"] == ministry.caller.samples[PERSON]["data"]
    details = json.dumps(await entry_of(ministry.caller, reply))
    assert ministry.keyid in details
    assert "caller_signed_at" in details


async def test_the_caller_sees_its_signing_certificate(ministry: Signing) -> None:
    headers = {"Authorization": f"Bearer {await ministry.caller.token()}"}
    me = (await ministry.caller.send("GET", "/v1/me", headers=headers)).json
    assert f"signature-{ministry.keyid}" in [one["id"] for one in me["credentials"] if one["kind"] == "signature"]


@pytest.mark.parametrize("query", ["?fields=full_name", "?fields=full_name%2Cbirth_date", "?"])
async def test_the_query_is_part_of_it(ministry: Signing, query: str) -> None:
    sent = ministry.signed(await ministry.question(query=query))
    assert (await ministry.send(sent)).status == 200
    more = replace(ministry.signed(await ministry.question(query=query)), target=f"/v1/{PERSON}?fields=sex")
    assert rejected(await ministry.send(more)) == "altered"


async def test_what_was_sent_is_not_taken_again_by_any_process(ministry: Signing) -> None:
    sent = ministry.signed(await ministry.question())
    # Connections of their own, so that both processes are asked.
    sessions = [ClientSession() for _ in range(12)]
    try:
        replies = await asyncio.gather(*(ministry.send(sent, session) for session in sessions))
    finally:
        for session in sessions:
            await session.close()
    assert sorted(reply.status for reply in replies) == [200, *[403] * 11]
    assert {rejected(reply) for reply in replies if reply.status == 403} == {"replayed"}


async def test_whatever_was_changed_afterwards_is_refused(ministry: Signing) -> None:
    async def sent() -> HttpRequest:
        return ministry.signed(await ministry.question())

    one = await sent()
    assert rejected(await ministry.send(replace(one, body=one.body.replace(b"{", b"{ ", 1)))) == "altered"
    other = {"lgsp-purpose": "inspection"}
    assert rejected(await ministry.send(with_headers(await sent(), other))) == "altered"
    bare = await ministry.question()
    bare = replace(bare, fields={name: lines for name, lines in bare.fields.items() if name != "lgsp-officer"})
    added = with_headers(ministry.signed(bare), {"lgsp-officer": "an.nguyen"})
    assert rejected(await ministry.send(added)) == "not-covered"
    moved = replace(await sent(), target="/v1/population/relation")
    assert rejected(await ministry.send(moved)) == "altered"
    elsewhere = ministry.signed(replace(await ministry.question(), authority="gateway.example.vn"))
    assert rejected(await ministry.send(replace(elsewhere, authority=one.authority))) == "altered"


async def test_what_was_signed_for_another_gateway_is_refused_here(ministry: Signing) -> None:
    own = await ministry.question()
    port = urlsplit(ministry.caller.url).port
    for authority in ("gateway.example.vn", f"gateway.example.vn:{port}", "127.0.0.1", "127.0.0.1:1"):
        elsewhere = ministry.signed(replace(own, authority=authority))
        reply = await ministry.send(elsewhere)
        assert rejected(reply) == "not-covered"
        assert "server.public_url" in reply.problem["detail"]
    # A request without a signature says nothing about where it belongs.
    assert (await ministry.send(replace(own, authority="gateway.example.vn"))).status == 200
    assert (await ministry.send(ministry.signed(replace(own, authority=f"LocalHost:{port}")))).status == 200


async def test_what_is_half_a_signature_or_unreadable_is_refused(ministry: Signing) -> None:
    sent = ministry.signed(await ministry.question())
    for missing in ("signature", "signature-input"):
        fields = {name: lines for name, lines in sent.fields.items() if name != missing}
        assert rejected(await ministry.send(replace(sent, fields=fields))) == "malformed"
    for value in ("lgsp=:AAAA:, other=:AAAA:", "x", "lgsp=:é:"):
        assert rejected(await ministry.send(with_headers(sent, {"signature": value}))) == "malformed"
    # Nothing of it counted: it is good for once.
    assert (await ministry.send(sent)).status == 200


HOSTILE = {
    "8 KB of blanks": ("signature-input", "lgsp=(" + " " * 8000),
    "8 KB of components": ("signature-input", "lgsp=(" + '"@method" ' * 800 + ")"),
    "8 KB of labels": ("signature-input", "a, " * 2600 + "b"),
    "8 KB of base64": ("signature", "lgsp=:" + "A" * 8000 + ":"),
    "8 KB of digests": ("content-digest", "a=:AAAA:, " * 780 + "b=:AAAA:"),
    "a number too long": ("signature-input", "lgsp=();created=99999999999999999999;keyid=1"),
    "letters": ("signature-input", "lgsp=(\u1ec7)"),
    "a byte that is no UTF-8": ("signature", "lgsp=:\udcff:"),
    "nothing": ("signature", ""),
}


@pytest.mark.parametrize(("name", "value"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_headers_are_refused_as_such(ministry: Signing, name: str, value: str) -> None:
    sent = ministry.signed(await ministry.question())
    changed = with_headers(sent, {name: value})
    assert rejected(await ministry.send(changed)) in ("malformed", "altered")
    twice = replace(sent, fields={**sent.fields, name: sent.fields[name] * 2})
    reply = await ministry.send(twice)
    assert (reply.status, reply.problem["code"]) in ((403, "signature-rejected"), (400, "malformed"))
    assert (await ministry.send(sent)).status == 200


async def test_what_was_over_the_limit_is_not_used_up(ministry: Signing) -> None:
    """Refused by the rate, a request never reached its source: it may come again as it is."""
    limited = Signing(ministry.caller, "limited")
    question = await limited.question(lgsp_purpose="identity-verification")
    until = time.monotonic() + 90
    refused: list[HttpRequest] = []
    # At once: one after the other they may be no more than the rate allows, on a slow machine.
    while not refused:
        assert time.monotonic() < until
        many = [limited.signed(question) for _ in range(60)]
        replies = await asyncio.gather(*map(limited.send, many))
        assert {reply.status for reply in replies} <= {200, 429}
        refused = [one for one, reply in zip(many, replies, strict=True) if reply.status == 429]
    while (reply := await limited.send(refused[0])).status == 429:
        assert time.monotonic() < until
    assert reply.status == 200


@pytest.mark.parametrize("client", [None, "ministry"])
async def test_it_serves_over_tls_too(ministry: Signing, client: str | None) -> None:
    described = ministry.caller.live.described
    context = ssl.create_default_context(cafile=described["trust"]["gateway"])
    dropped = set() if client is None else {"authorization"}
    if client is not None:
        context.load_cert_chain(described["clients"][client]["certificate"], described["clients"][client]["key"])
    url = urlsplit(described["gateway_tls"])
    plain = await ministry.question()
    fields = {name: lines for name, lines in plain.fields.items() if name not in dropped}
    sent = ministry.signed(replace(plain, scheme="https", authority=url.netloc, fields=fields))
    async with ClientSession(connector=TCPConnector(ssl=context)) as session:
        assert (await ministry.send(sent, session, url.geturl())).status == 200
        assert rejected(await ministry.send(sent, session, url.geturl())) == "replayed"
    # Whoever got hold of it does not get it answered elsewhere.
    again = ministry.signed(replace(plain, scheme="https", authority=url.netloc))
    assert rejected(await ministry.send(replace(again, authority=plain.authority))) == "altered"
    async with ClientSession(connector=TCPConnector(ssl=context)) as session:
        for authority, reason in ((f"localhost:{url.port}", None), ("localhost", "not-covered")):
            there = replace(plain, scheme="https", authority=authority)
            reply = await ministry.send(ministry.signed(there), session, url.geturl())
            assert (None if reply.status == 200 else rejected(reply)) == reason


@pytest.mark.parametrize(("ahead", "reason"), [(-400, "stale"), (-90, None), (40, None), (150, "stale")])
async def test_clocks_may_differ_a_little(ministry: Signing, ahead: int, reason: str | None) -> None:
    reply = await ministry.ask(created=int(time.time()) + ahead)
    if reason is None:
        assert reply.status == 200
    else:
        assert rejected(reply) == reason


async def test_somebody_elses_certificate_does_not_sign(ministry: Signing) -> None:
    province = Signing(ministry.caller, "province")
    assert rejected(await ministry.ask(keyid=province.keyid)) == "untrusted"
    sent = province.signed(await ministry.question())
    assert rejected(await ministry.send(sent)) == "untrusted"
    # Another key under a name that is registered.
    province.keyid = ministry.keyid
    assert rejected(await ministry.send(province.signed(await ministry.question()))) == "altered"


@pytest.fixture
async def demanding(caller: Caller) -> Signing:
    """The client `limited`, whose grant now asks for signatures; changed by the command, as an operator does."""
    grant = ["grant", "limited", PERSON, "--purpose", "identity-verification", "--field", "full_name"]
    await operate(caller, *grant, "--signature-required")
    return Signing(caller, "limited")


async def test_where_the_grant_asks_for_it_an_unsigned_request_is_refused(demanding: Signing) -> None:
    caller = demanding.caller
    headers = {"Authorization": f"Bearer {await caller.token('limited')}"}
    until = time.monotonic() + 90
    while not (await caller.send("GET", "/v1/me", headers=headers)).json["grants"][0]["signature_required"]:
        assert time.monotonic() < until
    question = await demanding.question(lgsp_purpose="identity-verification")
    # Each process learns of the change by itself, within a second.
    while (reply := await demanding.send(question)).status == 200:
        assert time.monotonic() < until
    assert rejected(reply) == "not-covered"
    reply = await demanding.send(demanding.signed(question))
    assert (reply.status, [*reply.json["data"]]) == (200, ["full_name"])


async def operate(caller: Caller, *command: str) -> Any:
    """Run `lgsp clients` on the live deployment; return what it printed."""
    config = caller.live.described["config"]
    done = await asyncio.to_thread(lgsp, "clients", *command, "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_a_certificate_signs_from_its_registration_to_its_revocation(caller: Caller, tmp_path: Path) -> None:
    key, certificate = tmp_path / "office.key", tmp_path / "office.pem"
    private = rsa.generate_private_key(65537, 2048)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    made = make_certificate(
        private, "office", datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(days=1)
    )
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    (added,) = await operate(
        caller, "add", "office", "--name", "An office", "--agency", "H26.12", "--signing-certificate", str(certificate)
    )
    await operate(
        caller,
        "grant",
        "office",
        PERSON,
        "--purpose",
        "identity-verification",
        "--field",
        "full_name",
        "--signature-required",
    )
    caller.live.described["clients"]["office"] = {
        "client_id": "office",
        "client_secret": added["client_secret"],
        "certificate": str(certificate),
        "key": str(key),
    }
    until = time.monotonic() + 90
    while (await caller.grant("office")).status != 200:
        assert time.monotonic() < until
    office = Signing(caller, "office")
    question = await office.question(lgsp_purpose="identity-verification")
    # Each process learns of a change by itself, within a second or so.
    while (reply := await office.send(office.signed(question))).status != 200:
        assert time.monotonic() < until, reply.body
    for algorithm in ("rsa-pss-sha512", "rsa-v1_5-sha256"):
        assert (await office.send(office.signed(question, algorithm=algorithm))).status == 200
    await operate(caller, "revoke", "office", "--credential", f"signature-{office.keyid}")
    until = time.monotonic() + 90
    while (reply := await office.send(office.signed(question))).status == 200:
        assert time.monotonic() < until
    assert rejected(reply) == "revoked"


async def test_the_client_of_the_documentation_is_answered(caller: Caller, tmp_path: Path) -> None:
    (script,) = blocks(section(text_of("docs/callers.md"), "## 6. Sign your requests"))
    (tmp_path / "ask_signed.py").write_text(script, encoding="utf-8")
    for name in (PERSON, "land/parcel"):
        command = [sys.executable, "ask_signed.py", str(caller.live.state / "demo.json"), name]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.stdout == f"200 {', '.join(sorted([*caller.samples[name]['data']][:2]))}\n", done.stderr


@pytest.mark.parametrize("database", SIGNING)
async def test_an_answer_is_known_again_by_whichever_process(caller: Caller, database: str) -> None:
    name = caller.operations(database)[0]
    assert (await caller.ask(name)).status == 200
    await caller.fault(database, "replayed")
    # Connections of their own, so that both processes are asked.
    sessions = [ClientSession() for _ in range(12)]
    try:
        replies = await asyncio.gather(*(Caller(caller.live, session).ask(name) for session in sessions))
    finally:
        for session in sessions:
            await session.close()
        await caller.healed([database])
    assert {(reply.status, reply.problem["reason"]) for reply in replies} == {(502, "replayed")}
