"""The portal of a demo: described, told to misbehave from the start, found again where it was after a kill."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, ServerDisconnectedError

from tests.test_gateway.live import Live
from tests.test_portal.visitor import CODE, DSTCODE, XRD, dossier, record


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Live]:
    live = Live(tmp_path / "state", "--fault", "portal:already-exists-as-0,session-expired=3", seed=3, people=20)
    yield live
    if live.process.poll() is None:
        live.stop()


async def _told(http: ClientSession, demo: Live, first: int) -> list[str]:
    """Log in, create the dossier and tell two events; the codes that came back."""
    secret = json.loads((demo.state / "accounts.json").read_text())["portal"]
    portal = demo.described["portal"]
    body = {"username": "lgsp-portal", "password": secret}
    async with http.post(f"{portal}{XRD}/login?dstcode={DSTCODE}", json=body) as answer:
        session = (await answer.json())["session"]
    calls = [("DongBoHoSoMC", {"isUpdating": "False", "data": [dossier()]})]
    calls += [("CapNhatTienDoHoSoMC", {"data": [record(number, "4")]}) for number in (first, first + 1, first + 2)]
    codes = []
    for service, more in calls:
        asked = {"session": session, "madonvi": "H26", "service": service, **more}
        async with http.post(f"{portal}{XRD}/g?dstcode={DSTCODE}", json=asked) as answer:
            codes.append((await answer.json())["error_code"])
    return codes


async def test_the_portal_of_a_demo_goes_on_where_it_was(demo: Live) -> None:
    first = demo.described["portal"]
    async with ClientSession() as http:
        assert await _told(http, demo, 1) == ["00", "00", "00", "-1"]
    demo.kill()
    demo.start()
    assert demo.described["portal"] == first
    async with ClientSession() as http:
        assert await _told(http, demo, 3) == ["0", "00", "00", "-1"]
        async with http.get(f"{first}/_ledger") as answer:
            lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        assert [(line["dossier"], line["sequence"], line["times_applied"]) for line in lines] == [
            (CODE, number, 1) for number in (1, 2, 3, 4)
        ]
        async with http.put(f"{first}/_faults", json={"fault": "down"}) as answer:
            assert answer.status == 200
        with pytest.raises(ServerDisconnectedError):
            await http.post(f"{first}{XRD}/g", json={})
