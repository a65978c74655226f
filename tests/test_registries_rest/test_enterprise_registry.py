"""The enterprise registry, read by hand over a real socket, against the world."""

from typing import Any

import pytest

from sandbox.world.world import World

DETAIL = "/apiCSDLDKDN/1.0/chiTietDoanhNghiep"
STATE = "/apiCSDLDKDN/1.0/tinhTrangHoSo"


def _iso(text: str | None) -> str | None:
    if not text:
        return None
    day, month, year = text.split("/")
    return f"{year}-{month}-{day}"


async def test_every_enterprise_is_answered_as_the_world_has_it(client: Any, world: World) -> None:
    headers = await client.bearer("enterprise")
    alone = several = 0
    for block in world.blocks():
        for held in block.enterprises:
            status, found = await client.get("enterprise", DETAIL, headers, msdn=held.code)
            assert (status, found["Status"], found["Message"], found["DataCount"]) == (200, "1", "success", "1")
            main = found["MainInformation"]
            assert main["ENTERPRISE_GDT_CODE"] == held.code
            assert main["NAME"] == held.name
            assert main.get("NAME_F") == held.foreign_name
            assert main["SHORT_NAME"] == held.short_name
            assert main["CAPITAL_AMOUNT"] == held.capital
            assert _iso(main["FOUNDING_DATE"]) == held.founded_on.isoformat()
            assert found["HOAdress"]["AddressFullText"] == held.address.full_text
            assert [member["RATIO_PERCENT"] for member in found["Member"]] == [one.percent for one in held.members]
            assert sum(line["IS_MAIN"] == "Y" for line in found["BusinessActivity"]) == 1
            persons = found["Representatives"]
            if isinstance(persons, list):
                several += 1
                assert len(persons) > 1
            else:
                alone += 1
                persons = [persons]
            assert [one["FULL_NAME"] for one in persons] == [one.full_name for one in held.representatives]
            assert [one["PERS_DOC_NO"] for one in persons] == [one.document for one in held.representatives]
    assert alone
    assert several


async def test_branches_are_found_with_and_without_dash(client: Any, world: World) -> None:
    headers = await client.bearer("enterprise")
    held = world.cases["branch"].enterprise
    assert held is not None
    for branch in held.branches:
        for code in (branch.code, branch.code.replace("-", "")):
            _, found = await client.get("enterprise", DETAIL, headers, msdn=code)
            assert found["MainInformation"]["ENTERPRISE_GDT_CODE"] == branch.code
            assert found["MainInformation"]["NAME"] == branch.name
            assert isinstance(found["Representatives"], dict)


async def test_registration_dossiers(client: Any, world: World) -> None:
    headers = await client.bearer("enterprise")
    for block in world.blocks():
        for held in block.enterprises:
            dossier = held.registration
            _, found = await client.get("enterprise", STATE, headers, in_journal_no=dossier.journal_no)
            main = found["MainInformation"]
            assert main["IN_JOURNAL_NO"] == dossier.journal_no
            assert main["PROCESS_STATUS"] == dossier.status.upper()
            assert (main["REGISTRATION_DATE"] is not None) == (dossier.status == "approved")


@pytest.mark.parametrize("path", [DETAIL, STATE])
@pytest.mark.parametrize("query", [{}, {"other": "0100109106"}, {"msdn": "0100109106", "in_journal_no": "1"}])
async def test_other_parameters_are_refused(client: Any, path: str, query: dict[str, str]) -> None:
    status, found = await client.get("enterprise", path, await client.bearer("enterprise"), **query)
    assert status == 200
    assert found == {"Status": "0", "Message": "INVALID_PARAMETER", "DataCount": "0"}


@pytest.mark.parametrize("code", ["0100109106", "0100109106-999", "01001091061234", "١٢٣", "1 OR 1=1", "-", ""])
async def test_what_nobody_has_is_said_to_be_so(client: Any, code: str) -> None:
    status, found = await client.get("enterprise", DETAIL, await client.bearer("enterprise"), msdn=code)
    assert status == 200
    assert found["Status"] == "0"
    assert "MainInformation" not in found
