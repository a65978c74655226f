"""Callers that sign: zeep with the plug-in that callers may copy, and node's `soap` with its own WSSecurityCert."""

import importlib.util
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zeep
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from zeep.exceptions import SignatureVerificationFailed
from zeep.helpers import serialize_object

from tests.test_gateway.live import Live, lgsp
from tests.test_request_signatures.callers import make_certificate
from tests.test_soap_clients.calls import ROOT, Job, Papers, as_json, told
from tests.test_soap_clients.material import OPERATIONS, VERSIONS, Asked, Call, Tree
from tests.test_soap_clients.suite import DATABASES
from tests.test_soap_clients.test_node import DRIVER
from tests.test_soap_clients.test_zeep import blurred
from tests.test_soap_clients.verdicts import answered_as_rest

EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
OPTIONS = {
    "signerOptions": {"idMode": "wssecurity"},
    "signatureTransformations": [EXC_C14N],
    "additionalReferences": ["gw:Purpose", "gw:Dossier", "gw:Officer", "gw:RequestId"],
}
"""As the page for callers shows them."""


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zeep_wsse", ROOT / "docs" / "clients" / "zeep_wsse.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def answers(live: Live) -> Path:
    """The certificate that the gateway signs its answers with."""
    return live.state / "pki" / "gateway-answers.pem"


def first(job: Job, service: str) -> Call:
    """The first operation of a database, nothing proven by HTTP."""
    kind = next(kind for kind in OPERATIONS if kind.partition("/")[0] == service)
    return replace(job.calls[f"{kind} 1.1"], id=kind, basic=None)


class TestZeep:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("service", DATABASES)
    def test_a_signature_says_who_calls_and_the_answer_is_signed_back(
        self,
        plugin: ModuleType,
        papers: Papers,
        answers: Path,
        contracts: Path,
        job: Job,
        rest: dict[str, Any],
        asked: dict[str, Asked],
        service: str,
        version: str,
    ) -> None:
        call = replace(first(job, service), soap=version)
        # The plug-in takes no answer but one that the gateway signed for this very request.
        signature = plugin.GatewaySignature(papers.key, papers.certificate, answers)
        answer = self.ask(contracts, call, signature)
        answered_as_rest(answer, rest[call.id], asked[call.id], blurred)

    def ask(self, contracts: Path, call: Call, signature: Any) -> Tree:
        client = zeep.Client(str(contracts / f"{call.service}.wsdl"), wsse=signature)
        with client.transport.session:
            service = client.create_service(f"{{{call.namespace}}}{call.port}", call.location)
            answer: Tree = serialize_object(service[call.operation](**call.body, _soapheaders=dict(call.blocks)), dict)
        return answer

    def test_an_answer_of_anybody_else_is_no_answer(
        self, plugin: ModuleType, papers: Papers, contracts: Path, job: Job
    ) -> None:
        signature = plugin.GatewaySignature(papers.key, papers.certificate, papers.certificate)
        with pytest.raises(SignatureVerificationFailed, match="certificate"):
            self.ask(contracts, first(job, "population"), signature)


@pytest.fixture(scope="module")
def office(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Another client, registered with a certificate for an RSA key, which is what node's `soap` signs with."""
    folder = tmp_path_factory.mktemp("office")
    private = rsa_keys.generate_private_key(65537, 2048)
    now = datetime.now(UTC)
    certificate = make_certificate(private, "office", now - timedelta(hours=1), now + timedelta(days=1))
    (folder / "key.pem").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    signing = ("--signing-certificate", str(folder / "certificate.pem"))
    _operate(live, "add", "office", "--name", "An office", "--agency", "H26.12", *signing)
    for kind, operation in OPERATIONS.items():
        if kind == "population/person" or kind.startswith("tax/"):
            fields = [word for name in operation.answer.model_fields for word in ("--field", name)]
            _operate(live, "grant", "office", kind, "--purpose", "dossier-processing", *fields)
    return {"key": str(folder / "key.pem"), "certificate": str(folder / "certificate.pem")}


def _operate(live: Live, *command: str) -> None:
    done = lgsp("clients", *command, "--config", live.described["config"])
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def signed(job: Job, papers: Papers, modules: str, office: Tree, live: Live) -> Any:
    """Makes node sign calls as the office and tells what came of them."""
    person = first(job, "population")

    def run(*calls: Call, options: Tree) -> dict[str, Tree]:
        # A request that is repeated within a second would be the same: an id of its own is signed with each.
        fresh = [replace(one, blocks={**one.blocks, "RequestId": f"{one.id}-{time.time_ns()}"}) for one in calls]
        given = as_json(fresh, papers, signing={**office, "options": options})
        return told(["node", DRIVER], given, NODE_MODULES=modules)

    # Each process of the gateway learns of a new client by itself, within a second or so.
    until = time.monotonic() + 90
    while "answer" not in (done := run(person, options=OPTIONS))[person.id]:
        assert time.monotonic() < until, done
    return run


class TestNode:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_with_the_options_of_the_page_it_is_answered_and_the_answer_is_signed_back(
        self,
        signed: Any,
        plugin: ModuleType,
        office: Tree,
        answers: Path,
        job: Job,
        rest: dict[str, Any],
        asked: dict[str, Asked],
        version: str,
    ) -> None:
        calls = [replace(first(job, service), soap=version) for service in ("population", "tax")]
        for kind, call in signed(*calls, options=OPTIONS).items():
            answered_as_rest(call["answer"], rest[kind], asked[kind])
            # node does not check answers; the plug-in for zeep does, told which request this one was for.
            asking = etree.fromstring(call["sent"].encode())
            vars(plugin)["_asked"].set(asking.findtext(".//{*}SignatureValue"))
            signature = plugin.GatewaySignature(office["key"], office["certificate"], answers)
            signature.verify(etree.fromstring(call["raw"].encode()))

    @pytest.mark.parametrize("version", VERSIONS)
    def test_its_defaults_are_refused_with_what_to_set(self, signed: Any, job: Job, version: str) -> None:
        call = replace(first(job, "population"), soap=version)
        fault = signed(call, options={})[call.id]["fault"]
        problem = (fault.get("detail") or fault["Detail"])["Problem"]
        assert (problem["code"], problem["status"]) == ("signature-rejected", "403")
        assert "idMode: 'wssecurity'" in problem["detail"]
        assert EXC_C14N in problem["detail"]
