"""curl and an XML parser: what is on the wire, without a library that knows SOAP."""

from typing import Any

import pytest
from lxml import etree

from tests.test_soap_clients.calls import FAULTS
from tests.test_soap_clients.material import ENVELOPES, VERSIONS, Tree
from tests.test_soap_clients.plain import CONTENT_TYPES, Spoken, read
from tests.test_soap_clients.suite import Suite


@pytest.fixture(scope="module")
def done(spoken: dict[str, Spoken]) -> dict[str, Tree]:
    told = {}
    for name, one in spoken.items():
        fault = etree.QName(one.inside).localname == "Fault"
        told[name] = {"fault": {"element": one.inside}} if fault else {"answer": _typed(read(one.inside))}
    return told


def _typed(answer: Tree) -> Tree:
    """The one number that is compared as a number."""
    if "receipt" in answer:
        answer["receipt"]["index"] = int(answer["receipt"]["index"])
    return answer


def as_text(value: Any) -> Any:
    """What is in the text of an element."""
    if isinstance(value, dict):
        return {name: as_text(member) for name, member in value.items()}
    if isinstance(value, list):
        return [as_text(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


class TestCurl(Suite):
    def blur(self, value: Any) -> Any:
        return as_text(value)

    def problem(self, fault: Tree) -> Tree:
        detail = fault["element"].find("{*}Detail")
        detail = fault["element"].find("detail") if detail is None else detail
        assert [child.tag for child in detail] == ["{urn:lgsp:gateway:1}Problem"]
        problem: Tree = read(detail[0])
        return problem


@pytest.mark.parametrize("version", VERSIONS)
def test_answers_are_whole_documents_of_the_version_asked_with(spoken: dict[str, Spoken], version: str) -> None:
    for name, one in spoken.items():
        if name.endswith(version):
            # PHP refuses an answer without a declaration.
            assert one.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>'), name
            assert etree.fromstring(one.body).tag == f"{{{ENVELOPES[version]}}}Envelope", name
            assert one.content_type == CONTENT_TYPES[version], name


@pytest.mark.parametrize("code", FAULTS)
def test_the_status_of_a_fault_is_as_its_version_has_it(spoken: dict[str, Spoken], code: str) -> None:
    expected = (401, 401) if code == "unauthenticated" else (500, 400)
    assert (spoken[f"{code} 1.1"].status, spoken[f"{code} 1.2"].status) == expected
