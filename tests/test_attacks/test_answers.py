"""A registry that answers with forged messages: what the gateway tells its callers, and what it keeps.

Each forged answer is made of the genuine one to that very question, so that nothing but the attack is wrong.
"""

import base64
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.test_attacks.attack import MARK, Attack, signed_anew
from tests.test_attacks.everything import attacks
from tests.test_attacks.forger import VICTIMS, Forger, answered
from tests.test_attacks.forging import certificate, der_of
from tests.test_attacks.traps import touched
from tests.test_gateway.live import Caller, Live

QUESTIONS = {"population": "population/person", "tax": "tax/taxpayer", "land": "land/parcel"}
MAX_ANSWER = 4 * 1024 * 1024
# A forged name as the attacker of a gateway without verification would have it: it must be another than MARK.
BELIEVED = b"BELIEVED2B"


def tried(database: str) -> dict[str, list[Attack]]:
    """The attacks on answers of a database, by family; land may use inclusive forms."""
    found: dict[str, list[Attack]] = {}
    for attack in attacks("enveloped" if database == "land" else "soap"):
        if database != "land" or "exclusive" not in attack.needs:
            found.setdefault(attack.family, []).append(attack)
    return found


async def deceive(caller: Caller, forger: Forger, database: str, attack: Attack) -> tuple[int, dict[str, Any]] | None:
    """Ask once, have the answer forged; what was told, or None where the answer has nothing to be attacked so."""
    kept: list[bytes] = []
    made: list[bytes | None] = []

    def keep(_: str, answer: bytes) -> bytes:
        kept.append(answer)
        return answered(answer)

    def forge(name: str, answer: bytes) -> bytes:
        made.append(attack.forge(forger.taken_apart(name, kept[0] if kept else answer)))
        return answered(answer if made[0] is None else made[0])

    if attack.after:
        forger.forge = keep
        assert (await caller.ask(QUESTIONS[database])).status == 200
    forger.forge = forge
    reply = await caller.ask(QUESTIONS[database])
    assert len(made) == 1, "asked again"
    if made[0] is None:
        assert reply.status == 200
        return None
    problem = reply.problem
    assert MARK not in reply.body
    assert "data" not in problem
    assert {"exchange", "receipt"} <= problem.keys()
    assert (reply.status, problem["retryable"]) == (502, False), problem
    if len(made[0]) > MAX_ANSWER:
        assert problem["code"] == "upstream-unreadable"
    else:
        assert problem["code"] == "upstream-signature-rejected", problem
        assert problem["reason"] in attack.reasons, problem
    return problem["receipt"]["index"], {"code": problem["code"], "status": 502, "reason": problem.get("reason")}


def entries(database: Path) -> dict[int, Any]:
    """What the log holds, by place."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return {index: json.loads(body) for index, body in connection.execute("SELECT idx, body FROM audit_entries")}
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("database", "family"), [(database, family) for database in VICTIMS for family in tried(database)]
)
async def test_a_forged_answer_is_refused_and_recorded(
    caller: Caller, deceived: Live, forger: Forger, database: str, family: str
) -> None:
    told = [await deceive(caller, forger, database, attack) for attack in tried(database)[family]]
    log = entries(Path(deceived.described["database"]))
    for index, outcome in filter(None, told):
        assert {"reason": None} | log[index]["outcome"] == outcome
        assert "fields" not in log[index]
        assert log[index]["database"] == database
    assert touched() == []


@pytest.mark.parametrize("database", VICTIMS)
async def test_the_answer_that_is_forged_is_accepted_as_it_was(caller: Caller, forger: Forger, database: str) -> None:
    name = QUESTIONS[database]
    for spoil in (bytes, lambda answer: b"\xef\xbb\xbf" + answer, lambda answer: answer + b"\n"):
        forger.forge = lambda _, answer, spoil=spoil: answered(spoil(answer))
        reply = await caller.ask(name)
        assert (reply.status, reply.json["data"]) == (200, caller.samples[name]["data"])
    # The same forging under the source's own key is believed: the texts that attacks put in do reach a decoder.
    forger.forge = lambda name, answer: answered(believed(forger, name, answer))
    reply = await caller.ask(name)
    assert reply.status == 200
    assert BELIEVED in reply.body


def believed(forger: Forger, name: str, answer: bytes) -> bytes:
    message = forger.taken_apart(name, answer)
    return signed_anew(message.saying(BELIEVED), message.source.key)


@pytest.mark.parametrize("database", ["population", "land"])
async def test_a_certificate_as_attacks_make_them_is_believed_where_it_is_right(
    caller: Caller, forger: Forger, database: str
) -> None:
    def renewed(name: str, answer: bytes) -> bytes:
        source = forger.taken_apart(name, answer).source
        made = certificate(source, source.key.private)
        octets = answer.replace(source.key.token, base64.b64encode(der_of(made)))
        return answered(signed_anew(octets, source.key))

    forger.forge = renewed
    assert (await caller.ask(QUESTIONS[database])).status == 200


def kept_by(state: Path) -> Iterator[Path]:
    """Every file of a demo that its gateway may write to."""
    yield from (path for path in state.rglob("*") if path.is_file() and "pki" not in path.parts)


async def test_nothing_forged_is_kept_anywhere(caller: Caller, deceived: Live, forger: Forger) -> None:
    for database in VICTIMS:
        for attack in tried(database)["wrapping"][:12]:
            await deceive(caller, forger, database, attack)
    forms = {MARK, MARK.lower(), MARK.hex().encode(), *(base64.b64encode(b"x" * n + MARK)[4:-4] for n in range(3))}
    names = []
    for path in kept_by(deceived.state):
        content = path.read_bytes()
        names.append(path.name)
        assert not [form for form in forms if form in content], path
    assert {"gateway.log", "lgsp.sqlite"} <= set(names)
    metrics = (await caller.send("GET", "/metrics")).body
    assert b'outcome="upstream-signature-rejected"' in metrics
    assert MARK not in metrics
