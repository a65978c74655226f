"""What a foreign source says reaches callers of the whole gateway, over REST and over SOAP, and nothing else does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.exchange import Database, Grant
from security import administration
from security.policy import field_paths
from security.xml import Element, parse
from tests.test_openapi.deployment import Answer, Deployment, deployment
from tests.test_translation.foreign import (
    Flat,
    Kind,
    Source,
    Thing,
    binding_of,
    database_of,
    envelope,
    expected,
    http,
    listening,
    xml_answer,
)
from tests.test_translation.permits import ANSWERS, DATA, DATABASES
from tests.test_translation.permits import binding_of as soap_of
from tests.test_translation.test_values import ABSENT, ONLY_IN_JSON, TEXTS, written

SPACE = "{urn:lgsp:foreign:1}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
QUESTION = envelope('<Thing xmlns="urn:lgsp:foreign:1"><number>1</number></Thing>')


@dataclass
class Asking:
    """A gateway before a source that can be made to answer anything, and a caller who may see all of it."""

    deployed: Deployment
    source: Source
    token: str

    async def rest(self, answer: bytes) -> Answer:
        return await self._ask(answer, "/v1/foreign/thing", {"number": "1"})

    async def soap(self, answer: bytes) -> Answer:
        return await self._ask(answer, "/soap/foreign", QUESTION, Content_Type="text/xml; charset=utf-8")

    async def _ask(self, answer: bytes, path: str, body: Any, **headers: str) -> Answer:
        self.source.answer = answer
        headers |= {"Authorization": f"Bearer {self.token}", "Lgsp_Purpose": "inspection"}
        return await asyncio.to_thread(self.deployed.ask, "POST", path, body, **headers)


@asynccontextmanager
async def gateway_before(database: Database, state: Path) -> AsyncIterator[Asking]:
    source = Source(b"")
    async with (
        listening(source) as url,
        deployment(state, (database,), lambda text: f'{text}\n[endpoints.foreign]\nurl = "{url}"\n') as deployed,
    ):
        registry = deployed.gateway.identity.registry
        client = registry.get("ministry")
        assert client is not None
        paths = field_paths((database,), "foreign", "thing", {"*"})
        # A fast machine asks more often than the usual grant lets anybody.
        right = Grant("foreign", "thing", frozenset({"inspection"}), paths, rate=1000.0, burst=1000)
        change = administration.grant(client, right, by="tests")
        await deployed.gateway.log.record(change.evidence, writes=(change.write,))
        await registry.refresh()
        yield Asking(deployed, source, await asyncio.to_thread(deployed.token, "ministry"))


def data_of(answer: Answer) -> Element:
    """The `data` of an answer over SOAP."""
    found = parse(answer.body).find(f".//{SPACE}data")
    assert found is not None
    return found


def heard(element: Element, like: Any) -> Any:
    """What an element says, read by what kind of value is there over REST."""
    if element.get(NIL) == "true":
        return None
    if isinstance(like, list):
        items = list(element)
        assert len(items) == len(like)
        return [heard(item, one) for item, one in zip(items, like, strict=True)]
    if isinstance(like, dict):
        return {child.tag.removeprefix(SPACE): heard(child, like[child.tag.removeprefix(SPACE)]) for child in element}
    text = element.text or ""
    return json.loads(text) if isinstance(like, bool | int) else text


def answer_of(kind: Kind, inside: str) -> bytes:
    return http(f'{{"Thu": {{{inside}}}}}'.encode()) if kind == "rest" else xml_answer(kind, inside, " dau='d'")


@pytest.mark.parametrize("kind", ["soap-1.1", "rest"])
async def test_callers_over_rest_and_soap_are_told_what_the_source_said(kind: Kind, tmp_path: Path) -> None:
    mark: dict[str, Any] = {} if kind == "rest" else {"mark": "d"}
    cases: list[tuple[str, dict[str, Any]]] = [(written(kind, text), {"name": text}) for text in TEXTS.values()]
    cases += [] if kind == "rest" else list(ABSENT.values())
    async with gateway_before(database_of(binding_of(kind), Flat if kind == "rest" else Thing), tmp_path) as asking:
        for inside, members in cases:
            wanted = expected(kind, **members, **mark)
            answer = await asking.rest(answer_of(kind, inside))
            assert answer.status == 200, (inside, answer.body)
            assert answer.json["data"] == wanted, inside
            assert answer.json["exchange"]["warnings"] == []
            answer = await asking.soap(answer_of(kind, inside))
            assert heard(data_of(answer), wanted) == wanted, inside
        for body in (b"", b"<x", b"--b\r\n\r\n", b"\xff", b"{}{}", b"\x00"):
            answer = await asking.rest(http(body))
            assert (answer.status, answer.json["code"]) == (502, "upstream-unreadable"), body
            assert answer.json["retryable"] is False
            assert b"upstream-unreadable" in (await asking.soap(http(body))).body
        for sign in ONLY_IN_JSON if kind == "rest" else ():
            said = answer_of(kind, f'"Ten": {json.dumps(f"a{sign}b")}')
            assert (await asking.rest(said)).json["data"] == expected(kind, name=f"a{sign}b")
            # No way to write it in XML, and no other text is put in its place.
            refused = await asking.soap(said)
            assert (refused.status, b">upstream-unreadable<" in refused.body) == (500, True)


HOLDING_NONE: dict[str, tuple[str, int, str]] = {
    "null": ('{"data": null}', 404, "no-record"),
    "empty-root": ('{"data": "<kq/>"}', 404, "no-record"),
    "no-text": ('{"data": {"a": 1}}', 502, "upstream-unreadable"),
    "missing": ("{}", 502, "upstream-unreadable"),
    "other-root": ('{"data": "<error>x</error>"}', 502, "upstream-unreadable"),
    "other-record": ('{"data": "<kq><Khac/></kq>"}', 502, "upstream-unreadable"),
}


async def test_callers_are_told_of_no_record_only_where_the_source_said_so(tmp_path: Path) -> None:
    async with gateway_before(database_of(binding_of("xml-in-json")), tmp_path) as asking:
        for case, (body, status, code) in HOLDING_NONE.items():
            answer = await asking.rest(http(body.encode()))
            assert (answer.status, answer.json["code"]) == (status, code), case
            assert f">{code}<".encode() in (await asking.soap(http(body.encode()))).body, case


async def test_soap_callers_are_told_the_same_by_two_sources_of_different_contracts(tmp_path: Path) -> None:
    told = []
    for name in ("unqualified", "other-names"):
        database = DATABASES[name]
        async with gateway_before(database, tmp_path / name) as asking:
            answer = http(envelope(ANSWERS[name], soap_of(database).version))
            assert (await asking.rest(answer)).json["data"] == DATA
            body = (await asking.soap(answer)).body
            told.append(body[body.index(b"<data>") : body.index(b"</data>")])
    assert told[0] == told[1]
    assert b"<holder> \xc4\x90\xe1\xbb\x97 &amp; Con </holder>" in told[0]
