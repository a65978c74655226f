"""The audit part of the tour: who read whom, proofs, opened values, the public tree (nhật ký kiểm toán)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from adapters.transport import Message, Reply
from sandbox.guide import Guide, Told, expect
from security.audit.checkpoint import Checkpoint, VerifierKey, opened
from security.audit.merkle import is_consistent, is_included, leaf_hash, range_root

_JSON: Final = {"Content-Type": "application/json"}
_PERSON: Final = "population/person"
_ABOVE: Final = 8


async def audit_tour(guide: Guide, keys: list[VerifierKey]) -> None:
    """Read the log as its auditor, as a caller and as somebody whom nobody knows; `keys` are believed, nothing else."""

    async def sent(path: str, body: Any = None, client: str | None = "auditor") -> Reply:
        headers = {} if client is None else {"Authorization": f"Bearer {await guide.token(client)}"}
        if body is None:
            return await guide.reply(Message("GET", path, headers))
        return await guide.reply(Message("POST", path, {**headers, **_JSON}, json.dumps(body).encode()))

    async def told(path: str, body: Any = None, client: str | None = "auditor") -> Any:
        reply = await sent(path, body, client)
        expect(reply.status, 200)
        return json.loads(reply.body)

    async def head() -> Checkpoint:
        return opened((await sent("/v1/audit/checkpoint", client=None)).body.decode(), keys)

    asked: Told | None = None

    async def index() -> int:
        nonlocal asked
        if asked is None:
            asked = await guide.ask(_PERSON)
            expect(asked.seen, "200 ok")
        return int(asked.value["receipt"]["index"])

    async def searched() -> str:
        number, person = await index(), guide.described["samples"][_PERSON]["body"]["personal_id"]
        path, found = "/v1/audit/search?limit=500", []
        while True:
            page = await told(path, {"subject": {"value": person}})
            found += [item["index"] for item in page["items"]]
            if page["next"] is None:
                break
            path = f"/v1/audit/search?limit=500&after={page['next']}"
        expect(number in found, True)
        return f"{len(found)} entries about one citizen, the look-up of a moment ago among them"

    async def proven() -> str:
        number = await index()
        reply = await sent(f"/v1/audit/entries/{number}")
        proof = await told(f"/v1/audit/entries/{number}/proof")
        signed, leaf = opened(proof["checkpoint"], keys), leaf_hash(reply.body)
        path = [base64.b64decode(step) for step in proof["proof"]]
        expect(is_included(number, signed.size, leaf, path, signed.root), True)
        return f"entry {number} of {signed.size}; that it was read is entry {reply.headers['Lgsp-Reading']}"

    async def others() -> str:
        number = await index()
        expect((await sent(f"/v1/audit/entries/{number}", client="ministry")).status, 200)
        hidden = await sent(f"/v1/audit/entries/{number}", client="province")
        expect((hidden.status, json.loads(hidden.body)["code"]), (404, "not-found"))
        return "200 for who asked, 404 for another caller"

    async def values() -> str:
        number = await index()
        body = {"reason": "LGSP SANDBOX"}
        refused = await sent(f"/v1/audit/entries/{number}/values", body, "ministry")
        expect((refused.status, json.loads(refused.body)["reason"]), (403, "no-right"))
        known = await told(f"/v1/audit/entries/{number}/values", body)
        entry: Mapping[str, Any] = json.loads((await sent(f"/v1/audit/entries/{number}")).body)
        salts = {each["name"]: base64.b64decode(each["salt"]) for each in known["openings"]}
        for place, subject in enumerate(known["subjects"]):
            commitment = sha256(salts[f"subjects/{place}"] + subject["value"].encode()).digest()
            expect(entry["subjects"][place]["commitment"], base64.b64encode(commitment).decode())
        return f"{len(salts)} commitments, {len(known['subjects'])} persons; without the right 403"

    async def grown() -> str:
        old = await head()
        await index()
        expect((await guide.ask(_PERSON)).seen, "200 ok")
        new = await head()
        answer = await told(f"/v1/audit/consistency?from={old.size}&to={new.size}", client=None)
        path = [base64.b64decode(step) for step in answer["proof"]]
        expect(is_consistent(old.size, old.root, new.size, new.root, path), True)
        return f"the tree of {old.size} is the beginning of the tree of {new.size}"

    async def tiles() -> str:
        now = await head()
        held: dict[tuple[int, int], bytes] = {}
        level = 0
        while count := now.size >> (_ABOVE * level):
            for number in range(-(-count // 256)):
                width = min(256, count - number * 256)
                suffix = "" if width == 256 else f".p/{width}"
                reply = await sent(f"/v1/audit/log/tile/{level}/{_spelt(number)}{suffix}", client=None)
                expect((reply.status, len(reply.body)), (200, 32 * width))
                held[level, number] = reply.body
            level += 1
        expect(range_root(0, now.size, lambda height, place: _node(held, height, place)), now.root)
        return f"{len(held)} tiles give the root over {now.size} entries; nobody had to log in"

    await guide.stop("audit: who read a citizen", searched)
    await guide.stop("audit: an entry and its proof", proven)
    await guide.stop("audit: others' entries", others)
    await guide.stop("audit: opened values", values)
    await guide.stop("audit: nothing but growth", grown)
    await guide.stop("audit: the tree, in tiles", tiles)


def _spelt(number: int) -> str:
    """The number of a tile as C2SP tlog-tiles spells it."""
    spelt = f"{number % 1000:03}"
    while number := number // 1000:
        spelt = f"x{number % 1000:03}/{spelt}"
    return spelt


def _node(held: Mapping[tuple[int, int], bytes], height: int, place: int) -> bytes:
    """The hash of a complete subtree of 2^height entries, from the tiles."""
    level, above = divmod(height, _ABOVE)
    if above:
        halves = (_node(held, height - 1, 2 * place), _node(held, height - 1, 2 * place + 1))
        return sha256(b"\x01" + b"".join(halves)).digest()
    at = place % 256 * 32
    return held[level, place // 256][at : at + 32]
