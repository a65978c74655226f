"""The tour of `lgsp demo --check`: every capability once, over real sockets, compared with what the registries know.

Each stop prints one line with what was seen. A stop that fails does not end the tour.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sandbox.guide import Disappointed, Guide, Told, expect
from sandbox.run import REGISTRIES
from sandbox.tour_audit import audit_tour
from sandbox.tour_dossiers import dossiers_tour
from sandbox.tour_signed import signed_tour
from sandbox.tour_soap import soap_tour
from sandbox.tour_tampering import tampering_tour
from sandbox.tour_xroad import xroad_tour
from security.audit.canonical import canonical
from security.audit.checkpoint import VerifierKey, opened
from security.audit.merkle import is_included, leaf_hash

# What a caller is told, by fault of a source that signs.
_REASONS: Final = {
    "tampered": "altered",
    "unsigned": "not-covered",
    "wrong-signer": "untrusted",
    "expired-cert": "expired",
    "revoked-cert": "revoked",
    "stale": "stale",
    "replayed": "replayed",
    "wrong-answer": "not-answer-to-request",
}
_LIMITED: Final = {"Lgsp-Purpose": "identity-verification"}
_PERSON: Final = "population/person"


async def tour(described: Mapping[str, Any]) -> int:
    """Visit every capability of the demo that `demo.json` describes; return 0 if all was as it should be, else 1."""
    async with AsyncExitStack() as stack:
        guide = Guide(described, stack)
        for name in guide.questions:
            await _operation(guide, name)
        await _callers(guide)
        await signed_tour(guide)
        await _bad_input(guide)
        await soap_tour(guide)
        await xroad_tour(guide)
        await dossiers_tour(guide)
        for registry in REGISTRIES:
            await _faults(guide, registry.name, signs=registry.signs)
        await _revocation(guide)
        await _evidence(guide)
        await tampering_tour(guide)
        await _operations(guide)
        return guide.verdict()


async def _operation(guide: Guide, name: str) -> None:
    """A look-up and the test persons of one operation."""
    sample = guide.described["samples"][name]

    async def truth() -> str:
        told = await guide.ask(name)
        expect(told.seen, "200 ok")
        expect(told.value["data"], sample["data"])
        signature = told.value["exchange"]["signature"]
        by = f"signed by {signature['signer']}" if signature else "the source does not sign"
        return f"200, the truth in {len(sample['data'])} fields; {by}"

    async def persons() -> str:
        seen = []
        for case in guide.described["cases"].get(name, ()):
            told = await guide.ask(name, case["body"])
            expect((case["name"], told.status), (case["name"], case["status"]))
            if told.status != 200:
                expect((case["name"], told.code), (case["name"], case["code"]))
            elif case["warning"] is not None:
                warned = [warning["code"] for warning in told.value["exchange"]["warnings"]]
                expect((case["name"], case["warning"] in warned), (case["name"], True))
            seen.append(f"{case['name']} {told.status}")
        return ", ".join(seen)

    await guide.stop(name, truth)
    if name in guide.described["cases"]:
        await guide.stop("  test persons", persons)


async def _callers(guide: Guide) -> None:
    """Who may ask what, and how they prove who they are."""
    for client in guide.described["clients"]:

        async def rights(client: str = client) -> str:
            me = (await guide.get("/v1/me", client)).value
            expect(me["client_id"], client)
            named = [f"{grant['database']}/{grant['operation']}" for grant in me["grants"]]
            return f"agency {me['agency']}, {len(named)} operations" + (f": {named[0]}" if len(named) == 1 else "")

        await guide.stop(f"rights of {client}", rights)

    async def least() -> str:
        told = await guide.ask(_PERSON, client="limited", headers=_LIMITED)
        expect(sorted(told.value["data"]), ["birth_date", "full_name"])
        return "200, full_name and birth_date and nothing else"

    async def certificate() -> str:
        papers = guide.described["clients"]["ministry"]
        way = guide.way(
            guide.described["gateway_tls"],
            tls_ca=guide.described["trust"]["gateway"],
            tls_certificate=papers["certificate"],
            tls_key=papers["key"],
        )
        told = await guide.ask(_PERSON, client=None, way=way)
        expect(told.seen, "200 ok")
        return "200 over mTLS, without a token"

    async def too_many() -> str:
        for _ in range(40):
            told = await guide.ask(_PERSON, client="limited", headers=_LIMITED)
            if told.status == 429:
                return (
                    f"{told.seen}, Retry-After {told.headers['Retry-After']}, limit {told.headers['RateLimit-Policy']}"
                )
        raise Disappointed("40 requests in a row and no limit")

    await guide.stop("two fields only", least)
    await guide.stop("client certificate", certificate)
    await guide.stop("rate limit", too_many)


async def _bad_input(guide: Guide) -> None:
    """Refusals, and what is wrong with a request."""

    async def refused(told: Told, wanted: str) -> str:
        expect(told.seen, wanted)
        return wanted + (f", entry {told.value['receipt']['index']}" if "receipt" in told.value else "")

    async def nobody() -> str:
        told = await guide.ask(_PERSON, client=None)
        expect(told.code, "unauthenticated")
        return f"{told.status} {told.code}, WWW-Authenticate: {told.headers['WWW-Authenticate']}"

    async def no_grant() -> str:
        return await refused(await guide.ask("tax/taxpayer", client="limited"), "403 refused (no-grant)")

    async def no_purpose() -> str:
        return await refused(await guide.ask(_PERSON, headers={"Lgsp-Purpose": None}), "400 purpose-required")

    async def wrong_body() -> str:
        told = await guide.ask(_PERSON, {"personal_id": 1, "age": 3})
        expect(told.code, "invalid")
        return f"{told.seen} at " + ", ".join(sorted(error["pointer"] for error in told.value["errors"]))

    await guide.stop("nobody known", nobody)
    await guide.stop("no grant", no_grant)
    await guide.stop("no purpose", no_purpose)
    await guide.stop("wrong body", wrong_body)


async def _faults(guide: Guide, database: str, *, signs: bool) -> None:
    """What callers are told when a source misbehaves, and that it recovers."""
    name = next(name for name in guide.questions if name.startswith(f"{database}/"))
    wanted = {"down": "503 upstream-unavailable"}
    if signs:
        wanted |= {kind: f"502 upstream-signature-rejected ({reason})" for kind, reason in _REASONS.items()}
    else:
        wanted["malformed"] = "502 upstream-unreadable"

    for kind, answer in wanted.items():

        async def misbehaving(kind: str = kind, answer: str = answer) -> str:
            await guide.fault(database, kind)
            try:
                told = await guide.ask(name)
            finally:
                await guide.fault(database, None)
            expect(told.seen, answer)
            again = await guide.ask(name)
            expect(again.seen, "200 ok")
            return f"{answer}, then 200 again"

        await guide.stop(f"{database}: {kind}", misbehaving)


async def _revocation(guide: Guide) -> None:
    """Certificates that nobody was asked about before: found out good, found out revoked, and not found out."""
    database = "land"
    name = next(name for name in guide.questions if name.startswith(f"{database}/"))
    rejected = "502 upstream-signature-rejected"

    async def seen(kind: str, site: str | None = None) -> Told:
        try:
            await guide.fault("pki", site)
            await guide.fault(database, kind)
            return await guide.ask(name)
        finally:
            await guide.fault(database, None)
            await guide.fault("pki", None)

    async def good() -> str:
        told = await seen("fresh-cert")
        expect(told.seen, "200 ok")
        signature = told.value["exchange"]["signature"]
        expect((signature["domain"], signature["revocation"]), ("registries", "good"))
        return f"200, a new certificate of the domain {signature['domain']}: {signature['revocation']} by OCSP"

    async def revoked() -> str:
        told = await seen("revoked-cert")
        expect(told.seen, f"{rejected} (revoked)")
        return f"{told.seen}, by OCSP"

    async def silent(kind: str) -> str:
        told = await seen("fresh-cert", kind)
        expect(told.seen, f"{rejected} (untrusted)")
        expect((await guide.ask(name)).seen, "200 ok")
        return f"{told.seen}; the certificate that is known already still 200"

    await guide.stop("new certificate", good)
    await guide.stop("revoked certificate", revoked)
    for kind in ("down", "stale", "unknown", "wrong-signer"):
        await guide.stop(f"responder and list: {kind}", partial(silent, kind))


async def _evidence(guide: Guide) -> None:
    """A receipt, checked with the published key alone, and the whole log."""
    keys = _lines(guide.described["log_key"])

    async def receipt() -> str:
        told = (await guide.ask(_PERSON, headers={"Lgsp-Receipt": "full"})).value
        given = told["receipt"]
        entry, leaf = base64.b64decode(given["entry"]), base64.b64decode(given["leaf"])
        expect(leaf_hash(entry), leaf)
        head = opened(given["checkpoint"], [VerifierKey.decode(key) for key in keys])
        proof = [base64.b64decode(step) for step in given["proof"]]
        expect(is_included(given["index"], head.size, leaf, proof, head.root), True)
        commitment = sha256(base64.b64decode(given["salt"]) + canonical(told["data"])).digest()
        expect(json.loads(entry)["commitments"]["data"], base64.b64encode(commitment).decode())
        return f"entry {given['index']} of {head.size} is proven, and its salt opens it to the data"

    async def whole() -> str:
        command = (sys.executable, "-m", "gateway", "audit", "verify", "--config", guide.described["config"], "--json")
        verifying = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        said, _ = await verifying.communicate()
        found = json.loads(said)
        expect((verifying.returncode, found["valid"], found["first_bad"]), (0, True, None))
        return f"{found['entries']} entries and {found['checkpoints']} checkpoints hold"

    await guide.stop("receipt", receipt)
    await audit_tour(guide, [VerifierKey.decode(key) for key in keys])
    await guide.stop("log", whole)


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


async def _operations(guide: Guide) -> None:
    """What operators and developers look at."""

    async def metrics() -> str:
        text = (await guide.get("/metrics")).value
        counts = [line for line in text.splitlines() if line.startswith("lgsp_exchanges_total{")]
        answered = sum(float(line.rpartition(" ")[2]) for line in counts if 'outcome="answered"' in line)
        if answered < len(guide.questions):
            raise Disappointed(f"{answered:.0f} exchanges answered")
        return f"{answered:.0f} exchanges answered"

    async def contract() -> str:
        document = (await guide.get("/openapi.json")).value
        missing = [name for name in guide.questions if f"/v1/{name}" not in document["paths"]]
        expect(missing, [])
        return f"OpenAPI {document['openapi']}, {len(document['paths'])} paths"

    await guide.stop("metrics", metrics)
    await guide.stop("OpenAPI", contract)
    for path in ("/livez", "/readyz", "/docs"):

        async def page(path: str = path) -> str:
            told = await guide.get(path)
            expect(told.status, 200)
            return "200"

        await guide.stop(path, page)
