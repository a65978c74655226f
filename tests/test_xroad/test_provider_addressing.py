"""WS-Addressing behind a security server: the asker addresses its own server, and the action is still ours."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.test_xroad.gateway import PERSON, Behind, payload, problem

WSA = "http://www.w3.org/2005/08/addressing"


def addressed(behind: Behind, name: str, text: str) -> bytes:
    root = etree.fromstring(behind.envelope(PERSON))
    block = etree.SubElement(root[0], f"{{{WSA}}}{name}")
    block.set(f"{{{etree.QName(root).namespace}}}mustUnderstand", "1")
    block.text = text
    return etree.tostring(root)


@pytest.mark.parametrize(
    ("name", "text"),
    [("To", "http://ss.example.vn/"), ("Action", "urn:lgsp:population:1/Person")],
)
async def test_what_the_asker_says_to_its_own_server_is_taken(behind: Behind, name: str, text: str) -> None:
    answer = await behind.post(addressed(behind, name, text))
    assert etree.QName(payload(answer)).localname == "PersonResponse"


async def test_another_action_is_refused(behind: Behind) -> None:
    assert problem(await behind.post(addressed(behind, "Action", "urn:x")))["code"] == "malformed"
