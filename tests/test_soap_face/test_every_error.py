"""Every error of the tree as a fault of both versions, valid by the published contract."""

from typing import Any

import pytest
from lxml import etree

from adapters import DATABASES
from routes.errors import soap_headers
from routes.soap.envelopes import BadEncoding, NotUnderstood, VersionMismatch
from routes.soap.faults import fault, header_of
from routes.soap.replies import plain_envelope
from routes.soap.wsdl import database_wsdl
from schemas.errors import Flaw, GatewayError, Malformed, Text, leaves
from security.xml import compile_schema
from tests.test_soap_face.messages import GATEWAY, VERSIONS, fault_of

BOTH = pytest.mark.parametrize("version", VERSIONS)
KINDS = [*leaves(), VersionMismatch, NotUnderstood, BadEncoding]
# All that may be said of one, with characters that XML has to escape or cannot hold.
DETAIL = Text("Chi tiết <&>\r\n\x00 ]]> \U0001f600", "Detail <&>\r\n\x00 ]]> \U0001f600")
FLAWS = (
    Flaw("/Person/personalId", Text("sai & thiếu", "wrong & missing")),
    Flaw("", Text("sai", "wrong"), header="Lgsp-Purpose"),
    Flaw("/a~1b", Text("", "")),
)


class Shown:
    """A receipt in its long form."""

    index = 7

    def as_json(self, proof: Any = None) -> dict[str, object]:
        whole = {"entry": "e30=", "proof": ["AA==", "AQ=="]} if proof is not None else {}
        return {"log": "a.b/c", "index": 7, "leaf": "AA==", "salt": None, "checkpoint": "a\n7\nb\n\n— a b\n"} | whole


def made(kind: type[GatewayError], *, full: bool) -> GatewayError:
    error = kind(DETAIL, reason="a-reason", flaws=FLAWS, retry_after=2.5) if full else kind()
    if isinstance(error, NotUnderstood):
        error.block = "{urn:x'y}a"
    if full:
        error.exchange_id = "01a22e23-8e7b-7997-8fed-2f8facfb0fdb"
        error.receipt, error.proof = Shown(), [b"\0", b"\1"]  # type: ignore[assignment]
    return error


@pytest.fixture(scope="module")
def contract() -> etree.XMLSchema:
    return compile_schema(database_wsdl(DATABASES[0], ""))


@BOTH
@pytest.mark.parametrize("full", [False, True], ids=["bare", "full"])
@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_an_error_is_a_fault(contract: etree.XMLSchema, kind: type[GatewayError], full: bool, version: Any) -> None:
    error = made(kind, full=full)
    status, payload = fault(error, version, request_id="an-id", language="en", base_url="https://x")
    block = header_of(error, version).encode()
    read = fault_of(plain_envelope(payload, version, block), version)
    special = {VersionMismatch: "VersionMismatch", NotUnderstood: "MustUnderstand"}.get(kind)
    if kind is BadEncoding and version == "1.2":
        special = "DataEncodingUnknown"
    blamed = error.blame == "client"
    usual = {"1.1": ("Server", "Client"), "1.2": ("Receiver", "Sender")}[version][blamed]
    assert read.code == (special or usual)
    if error.status in (401, 405, 413, 415):
        assert status == error.status
    else:
        assert status == (400 if version == "1.2" and read.code == "Sender" else 500)
    # What is signed has to be what is sent: its own canonical form, and well-formed whatever was said.
    assert etree.tostring(etree.fromstring(payload), method="c14n", exclusive=True) == payload
    assert ("retry-after" in {name.lower() for name in soap_headers(error, version)}) == ("retryAfter" in read.problem)
    detail = read.body.find(f".//{{{GATEWAY}}}Problem")
    if kind is NotUnderstood and version == "1.1":
        assert detail is None
        return
    assert detail is not None
    contract.assertValid(etree.fromstring(etree.tostring(detail)))
    problem = read.problem
    assert (problem["code"], problem["status"]) == (error.code, str(error.status))
    assert problem["requestId"] == "an-id"
    assert problem["type"] == f"https://x/problems/{error.code}"
    if full:
        assert problem["detail"] == DETAIL.en.replace("\0", "�")
        assert problem["reason"] == "a-reason"
        assert problem["errors"] == [
            {"pointer": "/Person/personalId", "detail": "wrong & missing"},
            {"pointer": "", "detail": "wrong", "header": "Purpose"},
            {"pointer": "/a~1b", "detail": ""},
        ]
        assert problem["exchange"] == {"id": error.exchange_id}
        assert problem["receipt"]["proof"] == ["AA==", "AQ=="]


@BOTH
def test_retries_are_promised_as_over_rest(version: Any) -> None:
    for kind in leaves():
        error = made(kind, full=True)
        payload = fault(error, version, request_id="x", language="vi", base_url="")[1]
        promised = b"retryAfter>3<" in payload
        assert promised == (error.status == 429 or (error.status in (409, 502, 503) and error.retryable))


def test_there_is_one_for_every_code() -> None:
    assert len({kind.code for kind in leaves()}) == len(list(leaves())) > 20
    assert issubclass(VersionMismatch, Malformed)
