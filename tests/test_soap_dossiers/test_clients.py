"""zeep and PHP's SoapClient push to a demo, and its portal gets it: all operations, both versions, three proofs."""

import asyncio
import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zeep
from aiohttp import ClientSession, DummyCookieJar
from zeep.helpers import serialize_object

from tests.test_commands.conftest import wait_for
from tests.test_gateway.live import Caller, Live, lgsp
from tests.test_soap_clients.calls import ROOT, Papers, as_json, told
from tests.test_soap_clients.material import VERSIONS, Call, Tree, camelled, seen
from tests.test_soap_clients.test_zeep import blurred, made

PATIENCE_S = 60.0
DRIVER = ROOT / "tests" / "test_soap_clients" / "php" / "calls.php"
CLIENTS = ("zeep", "php")
PUSHERS = (*[f"{client} {version}" for client in CLIENTS for version in VERSIONS], "signed")
CODES = {pusher: f"000.00.00.H26-261130-{place:04}" for place, pusher in enumerate(PUSHERS, 1)}
AT = "2026-11-30T09:00:00+07:00"
DOSSIER = {
    "procedure": "1.005129",
    "channel": "online",
    "ownerName": "Nguyễn Thị Hồng Ánh & con",
    "ownerKind": "citizen",
    "ownerIdentities": {"item": [{"number": "001090123456"}]},
    "receivedAt": "2026-11-30T08:00:00+07:00",
    "note": "hai\ndòng",
    "attachments": {"item": []},
    "fees": {"item": [{"name": "Lệ phí", "amount": "120.50"}, {"name": "Phí", "amount": "0"}]},
    "deliver": True,
}


def pushes(call: Call, code: str) -> list[Call]:
    """What each client pushes, in order."""

    def event(status: str, sequence: int, key: str) -> Tree:
        return {"code": code, "key": key, "at": AT, "officer": "Trần Văn Bé", "status": status, "sequence": sequence}

    many = [event("9", 2, f"{code}-2"), {**event("9", 3, f"{code}-3"), "at": "hôm qua"}, event("10", 3, f"{code}-3")]
    said: dict[str, tuple[str, Tree]] = {
        "register": ("RegisterDossier", {"code": code, "key": f"{code}-d", "dossier": DOSSIER}),
        "push": ("PushStatus", event("4", 1, f"{code}-1")),
        "again": ("PushStatus", event("4", 1, f'"{code}-1"')),
        "reused": ("PushStatus", event("9", 1, f"{code}-1")),
        "many": ("PushStatuses", {"events": {"item": many}}),
    }
    return [replace(call, id=f"{call.id} {name}", operation=name_, body=body) for name, (name_, body) in said.items()]


def looks(call: Call, code: str) -> list[Call]:
    """What each client looks at once everything is delivered."""
    said: dict[str, tuple[str, Tree]] = {
        "get": ("GetDossier", {"code": code}),
        "list": ("ListDeliveries", {"state": "delivered", "limit": 7}),
        "unknown": ("GetDossier", {"code": "000.00.00.H26-261130-9999"}),
    }
    return [replace(call, id=f"{call.id} {name}", operation=name_, body=body) for name, (name_, body) in said.items()]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    demo = Live(tmp_path_factory.mktemp("demo") / "state", seed=5, people=20)
    yield demo
    assert demo.stop() == 0


class Province(Caller):
    """The province of the demo over REST, and the ledger of the portal."""

    async def shown(self, path: str) -> Any:
        bearer = {"Authorization": f"Bearer {await self.token('province')}"}
        reply = await self.send("GET", path, headers=bearer)
        assert reply.status == 200, reply.body
        return reply.json

    async def ledger(self) -> dict[str, list[tuple[int, str, int]]]:
        async with self.session.get(f"{self.live.described['portal']}/_ledger") as answer:
            lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        found: dict[str, list[tuple[int, str, int]]] = {}
        for line in lines:
            found.setdefault(line["dossier"], []).append((line["sequence"], line["status"], line["times_applied"]))
        return found

    async def delivered(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len((await self.shown("/v1/deliveries?state=delivered&limit=500"))["items"]) < count:
                await asyncio.sleep(0.05)


class Signing:
    """zeep with the plug-in that callers may copy: nothing but the message says who calls."""

    def __init__(self, live: Live, plugin: ModuleType) -> None:
        province = live.described["clients"]["province"]
        answers = live.state / "pki" / "gateway-answers.pem"
        # The plug-in takes no answer but one that the gateway signed for this very request.
        signature = plugin.GatewaySignature(province["key"], province["certificate"], answers)
        self.client = zeep.Client(f"{live.described['gateway']}/soap/dossiers?wsdl", wsse=signature)

    def made(self, call: Call) -> Tree:
        service = self.client.create_service(f"{{{call.namespace}}}{call.port}", call.location)
        try:
            return {"answer": serialize_object(service[call.operation](**call.body), dict)}
        except zeep.exceptions.Fault as fault:
            problem = self.client.wsdl.types.deserialize(fault.detail[0])
            return {"fault": {"problem": serialize_object(problem, dict)}}


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zeep_wsse", ROOT / "docs" / "clients" / "zeep_wsse.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def done(live: Live, plugin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each client was told, by pusher and name of the call; `rest` and `ledger` from beside."""
    papers = Papers(live.described, tmp_path_factory.mktemp("papers"))
    signing = Signing(live, plugin)
    unproven = Call("", live.described["gateway"], "dossiers", "")
    plain = zeep.Client(unproven.wsdl)
    province = live.described["clients"]["province"]
    basic = (province["client_id"], province["client_secret"])
    found: dict[str, Any] = {}

    def all_of(calls: Any, token: str) -> None:
        php: list[Call] = []
        for pusher, code in CODES.items():
            client, _, version = pusher.partition(" ")
            call = replace(unproven, id=pusher, soap=version or "1.2")
            if client == "signed":
                found.update({one.id: signing.made(one) for one in calls(call, code)})
                continue
            call = replace(call, basic=basic) if version == "1.1" else replace(call, bearer=token)
            if client == "php":
                php += calls(call, code)
            else:
                found.update({one.id: made(plain, one, papers) for one in calls(call, code)})
        found.update(told(["php", DRIVER], as_json(php, papers)))

    async def run() -> None:
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            caller = Province(live, session)
            token = await caller.token("province")
            await asyncio.to_thread(all_of, pushes, token)
            await caller.delivered(4 * len(CODES))
            await asyncio.to_thread(all_of, looks, token)
            found["ledger"] = await caller.ledger()
            found["list"] = await caller.shown("/v1/deliveries?state=delivered&limit=7")
            found["rest"] = {code: await caller.shown(f"/v1/dossiers/{code}") for code in CODES.values()}

    with plain.transport.session, signing.client.transport.session:
        asyncio.run(run())
    return found


EACH = pytest.mark.parametrize("pusher", PUSHERS)


def problem_of(told: Mapping[str, Any]) -> Any:
    fault = told["fault"]
    return fault["problem"] if "problem" in fault else fault["detail"]["Problem"]


def items(value: Any) -> list[Any]:
    return list((value or {}).get("item", []) if not isinstance(value, list) else value)


def same(answer: Tree, rest: Mapping[str, Any]) -> None:
    """What a client hands out is what REST shows; zeep knows no difference between nil and no element."""
    shown = camelled(rest)
    assert blurred(seen(answer, shown)) == blurred(shown)


@EACH
def test_all_that_was_pushed_is_in_the_ledger_once(done: dict[str, Any], pusher: str) -> None:
    assert done["ledger"][CODES[pusher]] == [(1, "4", 1), (2, "9", 1), (3, "10", 1)]


@EACH
def test_pushes_are_answered(done: dict[str, Any], pusher: str) -> None:
    code = CODES[pusher]
    registered = done[f"{pusher} register"]["answer"]
    assert {"code": code, "result": "accepted", "version": 1, "replayed": False}.items() <= registered.items()
    first, again = (done[f"{pusher} {name}"]["answer"] for name in ("push", "again"))
    assert (first["result"], first["replayed"], again["replayed"]) == ("accepted", False, True)
    assert {**again, "replayed": False} == first
    assert first["receipt"]["checkpoint"].endswith("\n")
    reused = problem_of(done[f"{pusher} reused"])
    assert (reused["code"], str(reused["status"])) == ("idempotency-key-reused", "422")
    many = done[f"{pusher} many"]["answer"]
    # zeep hands out the only member of an answer in place of the answer.
    results = items(many["results"] if isinstance(many, dict) else many)
    assert [(one["line"], one["result"]) for one in results] == [(1, "accepted"), (2, "refused"), (3, "accepted")]
    assert items(results[1]["problem"]["errors"])[0]["pointer"] == "/at"
    assert results[0]["receipt"]["index"] < results[2]["receipt"]["index"]


@EACH
def test_looks_show_what_rest_shows(done: dict[str, Any], pusher: str) -> None:
    shown = dict(done["rest"][CODES[pusher]])
    shown["deliveries"] = [
        {**one, "dossier" if one["kind"] == "registration" else "event": one["event"]} for one in shown["deliveries"]
    ]
    del shown["deliveries"][0]["event"]
    answer = dict(done[f"{pusher} get"]["answer"])
    assert answer.pop("receipt")["index"] < shown.pop("receipt")["index"]
    same(answer, shown)
    same(done[f"{pusher} list"]["answer"], done["list"])
    assert problem_of(done[f"{pusher} unknown"])["code"] == "not-found"


def known(told: Mapping[str, Any]) -> Any:
    """What a client is told once the gateway knows it."""
    problem = problem_of(told)
    return problem if problem["code"] != "unauthenticated" else None


def test_another_agency_sees_and_changes_nothing(live: Live, done: dict[str, Any], tmp_path: Path) -> None:
    named = ("neighbour", "--name", "A neighbour", "--agency", "H22", "--right", "dossiers", "--json")
    added = lgsp("clients", "add", *named, "--config", live.described["config"])
    assert added.returncode == 0, added.stderr
    secret = json.loads(added.stdout)[0]["client_secret"]
    papers = Papers(live.described, tmp_path)
    code = CODES["zeep 1.1"]
    call = Call("", live.described["gateway"], "dossiers", "GetDossier", body={"code": code})
    call = replace(call, basic=("neighbour", secret))
    with (client := zeep.Client(call.wsdl)).transport.session:
        # Every node knows a new client within seconds.
        refused = wait_for(lambda: known(made(client, call, papers)), "the new client")
        amended = made(
            client, replace(call, operation="RegisterDossier", body={"code": code, "dossier": DOSSIER}), papers
        )
        event = {"code": code, "key": "n", "at": AT, "status": "7"}
        pushed = made(client, replace(call, operation="PushStatus", body=event), papers)
        listed = made(client, replace(call, operation="ListDeliveries", body={}), papers)
    assert refused["code"] == "not-found"
    assert (problem_of(amended)["code"], problem_of(amended)["reason"]) == ("refused", "other-agency")
    assert (pushed["answer"]["result"], pushed["answer"]["reason"]) == ("quarantined", "other-agency")
    assert [one["code"] for one in items(listed["answer"]["items"])] == [code]
