"""What the gateway answers is what the registries know: every sentence of the dump, and the test persons."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from tests.test_gateway.live import DATABASES, Caller, Live

AT_ONCE = 16


async def differences(caller: Caller, truth: list[dict[str, Any]]) -> list[str]:
    """Ask every sentence of `truth`; name each that is answered with anything else."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def check(sentence: dict[str, Any]) -> str | None:
        name = f"{sentence['database']}/{sentence['operation']}"
        async with slots:
            reply = await caller.ask(name, sentence["request"])
        if reply.status == 200 and reply.json["data"] == sentence["answer"]:
            return None
        return (
            f"{name} {sentence['request']}: {reply.status} {reply.body.decode()[:600]} instead of {sentence['answer']}"
        )

    await caller.token()
    found = await asyncio.gather(*(check(sentence) for sentence in truth))
    return [each for each in found if each is not None]


async def test_every_sentence_of_the_dump_is_answered_exactly(caller: Caller, live: Live) -> None:
    truth = live.truth()
    counts = Counter(f"{sentence['database']}/{sentence['operation']}" for sentence in truth)
    assert counts.keys() == caller.samples.keys()
    assert len(truth) > 500
    assert await differences(caller, truth) == []


async def test_other_people_are_answered_exactly(caller: Caller, live: Live, tmp_path: Path) -> None:
    other = Live(tmp_path / "state", seed=99_991, people=25)
    try:
        truth = other.truth()
        assert truth != live.truth()
        assert await differences(Caller(other, caller.session), truth) == []
    finally:
        assert other.stop() == 0


async def test_samples_are_true(caller: Caller) -> None:
    assert {name.partition("/")[0] for name in caller.samples} == set(DATABASES)
    for name, sample in caller.samples.items():
        reply = await caller.ask(name)
        assert (reply.status, reply.json["data"]) == (200, sample["data"])
        exchange = reply.json["exchange"]
        assert f"{exchange['database']}/{exchange['operation']}" == name
        assert sorted(exchange["fields"]) == sorted(sample["data"])


async def test_test_persons_meet_what_they_stand_for(caller: Caller, live: Live) -> None:
    cases = live.described["cases"]
    wrong = []
    for name, persons in cases.items():
        for person in persons:
            reply = await caller.ask(name, person["body"])
            if person["status"] == 200:
                codes = [None, *(warning["code"] for warning in reply.json["exchange"]["warnings"])]
            else:
                codes = [reply.problem["code"]]
                assert {"exchange", "receipt"} <= reply.problem.keys()
            promised = person["warning"] if person["status"] == 200 else person["code"]
            if reply.status != person["status"] or promised not in codes:
                wrong.append((name, person, reply.status, codes))
    assert wrong == []


async def test_every_database_has_its_test_persons(live: Live) -> None:
    by_database: dict[str, set[str]] = {}
    for name, people in live.described["cases"].items():
        for person in people:
            by_database.setdefault(name.partition("/")[0], set()).add(person["name"])
    assert by_database.keys() == set(DATABASES)
    for names in by_database.values():
        assert {"no-record", "warning"} & names
    assert {"no-record", "ambiguous", "deceased", "year-only-birth", "name-change", "warning"} <= by_database[
        "population"
    ]
