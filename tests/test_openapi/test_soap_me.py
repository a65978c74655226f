"""What callers who speak SOAP only may ask: the same that `GET /v1/me` tells, in the names of the SOAP face."""

import base64
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from routes.soap.me import me_wsdl
from routes.soap.names import camel_path
from security.signature_key import load_signer
from security.soap_signing import sign_soap_parts
from security.xml import compile_schema
from tests.test_openapi.deployment import PUBLIC, Answer, Deployment
from tests.test_snippets.reading import read

ENVELOPES = {
    "1.1": ("text/xml", "http://schemas.xmlsoap.org/soap/envelope/"),
    "1.2": ("application/soap+xml", "http://www.w3.org/2003/05/soap-envelope"),
}
ME = '<m:Me xmlns:m="urn:lgsp:me:1"/>'
SCHEMA = compile_schema(me_wsdl(PUBLIC))

both = pytest.mark.parametrize("version", ENVELOPES)


def basic(deployed: Deployment, client: str) -> str:
    known = deployed.clients[client]
    return "Basic " + base64.b64encode(f"{known['client_id']}:{known['client_secret']}".encode()).decode()


def ask(deployed: Deployment, payload: str = ME, version: str = "1.1", **headers: str) -> Answer:
    kind, space = ENVELOPES[version]
    body = f'<e:Envelope xmlns:e="{space}"><e:Body>{payload}</e:Body></e:Envelope>'
    return deployed.ask("POST", "/soap/me", body.encode(), Content_Type=kind, **headers)


def payload_of(answer: Answer) -> Any:
    return etree.fromstring(answer.body)[-1][0]


@pytest.mark.parametrize("client", ["ministry", "province", "limited", "auditor"])
@both
def test_it_says_what_the_rest_face_says(deployed: Deployment, version: str, client: str) -> None:
    bearer = f"Bearer {deployed.token(client)}"
    shown = deployed.ask("GET", "/v1/me", Authorization=bearer).json
    for authorization in (bearer, basic(deployed, client)):
        answer = ask(deployed, version=version, Authorization=authorization)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == f"{ENVELOPES[version][0]}; charset=utf-8"
        assert answer.body.startswith(b"<?xml")
        wrapper = payload_of(answer)
        SCHEMA.assertValid(wrapper)
        told = read(wrapper, shown)
        for grant in told["grants"]:
            assert grant.pop("address") == f"{PUBLIC}/soap/{grant['database']}"
            assert grant.pop("namespace") == f"urn:lgsp:{grant['database']}:1"
            wsdl = deployed.ask("GET", f"/soap/{grant['database']}?wsdl").body.decode()
            assert f'element="t:{grant.pop("element")}"' in wsdl
        for grant in shown["grants"]:
            grant["fields"] = [camel_path(path) for path in grant["fields"]]
        assert told == shown


def test_the_titles_are_in_the_language_of_the_caller(deployed: Deployment) -> None:
    authorization = basic(deployed, "limited")
    told = {}
    for language in ("vi", "en"):
        answer = ask(deployed, Authorization=authorization, Accept_Language=language)
        assert answer.headers["Content-Language"] == language
        told[language] = payload_of(answer).findtext(".//{*}purposes/{*}item/{*}title")
    assert told["vi"] != told["en"]


def test_who_signs_gets_a_signed_answer_and_each_message_counts_once(deployed: Deployment) -> None:
    papers = deployed.clients["ministry"]
    key = load_signer(Path(papers["key"]), Path(papers["certificate"]), "")
    signed = sign_soap_parts(b'<m:Me xmlns:m="urn:lgsp:me:1"></m:Me>', key, version="1.1")
    answer = deployed.ask("POST", "/soap/me", signed.envelope, Content_Type="text/xml")
    assert answer.status == 200, answer.body
    root = etree.fromstring(answer.body)
    assert root.find(".//{http://www.w3.org/2000/09/xmldsig#}SignatureValue") is not None
    confirmed = root.find(".//{*}SignatureConfirmation")
    value = etree.fromstring(signed.envelope).findtext(".//{http://www.w3.org/2000/09/xmldsig#}SignatureValue")
    assert confirmed is not None
    assert confirmed.get("Value") == "".join(value.split())
    assert root[-1][0].findtext("{*}clientId") == papers["client_id"]
    again = deployed.ask("POST", "/soap/me", signed.envelope, Content_Type="text/xml")
    assert again.status == 500
    assert etree.fromstring(again.body).findtext(".//{*}Problem/{*}code") == "signature-rejected"
    assert etree.fromstring(again.body).findtext(".//{*}Problem/{*}reason") == "replayed"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param('<m:You xmlns:m="urn:lgsp:me:1"/>', "not-found", id="another-operation"),
        pytest.param('<m:Me xmlns:m="urn:lgsp:population:1"/>', "not-found", id="another-namespace"),
        pytest.param('<m:Me xmlns:m="urn:lgsp:me:1"><m:x/></m:Me>', "invalid", id="something-inside"),
        pytest.param('<m:Me xmlns:m="urn:lgsp:me:1">x</m:Me>', "invalid", id="text-inside"),
    ],
)
@both
def test_anything_else_is_a_fault_that_is_on_record(
    deployed: Deployment, version: str, payload: str, code: str
) -> None:
    answer = ask(deployed, payload, version, Authorization=basic(deployed, "limited"))
    assert answer.status == (500 if version == "1.1" else 400)
    problem = payload_of(answer).find(".//{urn:lgsp:gateway:1}Problem")
    assert problem.findtext("{*}code") == code
    assert int(problem.findtext("{*}receipt/{*}index")) >= 0


def test_another_action_is_refused_and_the_right_one_is_not(deployed: Deployment) -> None:
    authorization = basic(deployed, "limited")
    assert ask(deployed, Authorization=authorization, SOAPAction='"urn:lgsp:me:1/Me"').status == 200
    answer = ask(deployed, Authorization=authorization, SOAPAction='"urn:lgsp:population:1/Person"')
    assert payload_of(answer).findtext(".//{*}Problem/{*}code") == "malformed"


def test_nobody_is_told_nothing(deployed: Deployment) -> None:
    answer = ask(deployed)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert payload_of(answer).findtext(".//{*}Problem/{*}code") == "unauthenticated"


@pytest.mark.parametrize("query", ["wsdl", "wsdl&soap=1.1", "wsdl&soap=1.2"])
def test_its_contract_is_published(deployed: Deployment, query: str) -> None:
    answer = deployed.ask("GET", f"/soap/me?{query}")
    assert answer.status == 200
    versions = (query.rpartition("=")[2],) if "=" in query else ("1.1", "1.2")
    assert answer.body == me_wsdl(PUBLIC, versions)  # type: ignore[arg-type]
