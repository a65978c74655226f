"""What Postman and SoapUI import: built as their formats say, and every request in it is answered."""

import json
import re
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import UUID

import pytest
from aiohttp import encode_basic_auth
from lxml import etree

from adapters import DATABASES
from routes.openapi import sandbox_examples
from routes.openapi_models import pascal
from schemas.exchange import Database
from tests.test_gateway.live import Live
from tests.test_snippets.conftest import get
from tests.test_snippets.reading import read

CON = {"con": "http://eviware.com/soapui/config"}
WSDL = {"w": "http://schemas.xmlsoap.org/wsdl/", "s": "http://schemas.xmlsoap.org/wsdl/soap/"}
EXAMPLES = sandbox_examples()
each_database = pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)


def post(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    with urlopen(Request(url, body, headers, method="POST"), timeout=60) as answer:
        return bytes(answer.read())


def sent(request: dict[str, Any], variables: dict[str, str]) -> bytes:
    """Send a request of a collection as Postman does; fails for what its format does not know."""

    def filled(text: str) -> str:
        return re.sub(r"\{\{(\w+)\}\}", lambda found: variables[found[1]], text)

    assert request.keys() == {"method", "auth", "header", "body", "url"}
    assert request["method"] == "POST"
    url = request["url"]
    assert url["raw"] == "/".join((*url["host"], *url["path"]))
    headers = {each["key"]: filled(each["value"]) for each in request["header"]}
    kind = request["auth"]["type"]
    given = {each["key"]: filled(each["value"]) for each in request["auth"][kind]}
    headers["Authorization"] = (
        f"Bearer {given['token']}" if kind == "bearer" else encode_basic_auth(given["username"], given["password"])
    )
    body = request["body"]
    if body["mode"] == "urlencoded":
        form = urlencode({each["key"]: each["value"] for each in body["urlencoded"]})
        return post(filled(url["raw"]), form.encode(), headers)
    assert body["mode"] == "raw"
    assert body["options"]["raw"]["language"] in ("json", "xml")
    return post(filled(url["raw"]), body["raw"].encode(), headers)


@each_database
def test_the_postman_collection(live: Live, database: Database) -> None:
    collection = json.loads(get(live, f"/docs/postman/{database.name}.json"))
    info = collection["info"]
    assert info["schema"] == "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    assert UUID(info["_postman_id"])
    assert database.title.vi in info["name"]
    variables = {each["key"]: each["value"] for each in collection["variable"]}
    assert variables == {
        "baseUrl": live.described["gateway"],
        "clientId": "",
        "clientSecret": "",
        "accessToken": "",
    }
    papers = live.described["clients"]["ministry"]
    variables |= {"clientId": papers["client_id"], "clientSecret": papers["client_secret"]}
    token, rest, soap = collection["item"]
    (event,) = token["event"]
    assert event["listen"] == "test"
    assert "pm.collectionVariables.set('accessToken'" in event["script"]["exec"][0]
    variables["accessToken"] = json.loads(sent(token["request"], variables))["access_token"]
    assert (rest["name"], soap["name"]) == ("REST", "SOAP")
    for index, operation in enumerate(database.operations):
        expected = EXAMPLES[f"{database.name}/{operation.name}"]["data"]
        for folder in (rest, soap):
            item = folder["item"][index]
            assert operation.title.vi in item["name"]
            answer = sent(item["request"], variables)
            if folder is rest:
                assert json.loads(answer)["data"] == expected
            else:
                assert read(etree.fromstring(answer).find(".//{*}data"), expected) == expected
    assert len(rest["item"]) == len(soap["item"]) == len(database.operations)


@each_database
def test_the_soapui_project(live: Live, database: Database) -> None:
    project = etree.fromstring(get(live, f"/docs/soapui/{database.name}.xml"))
    assert project.tag == f"{{{CON['con']}}}soapui-project"
    (interface,) = project.findall("con:interface", CON)
    assert interface.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "con:WsdlInterface"
    contract = etree.fromstring(get(live, interface.get("definition").removeprefix(live.described["gateway"])))
    namespace, _, binding = interface.get("bindingName")[1:].partition("}")
    assert namespace == contract.get("targetNamespace")
    (declared,) = contract.xpath("w:binding[@name=$name]", name=binding, namespaces=WSDL)
    assert interface.get("soapVersion") == "1_1"
    (address,) = contract.xpath("//s:address/@location", namespaces=WSDL)
    assert interface.xpath("con:endpoints/con:endpoint/text()", namespaces=CON) == [address]
    names = [place.findtext("con:name", namespaces=CON) for place in project.iterfind("con:properties/*", CON)]
    assert names == ["clientId", "clientSecret"]
    papers = live.described["clients"]["ministry"]
    known = {
        f"${{#Project#{name}}}": papers[key] for name, key in zip(names, ("client_id", "client_secret"), strict=True)
    }
    operations = interface.findall("con:operation", CON)
    assert [place.get("name") for place in operations] == [pascal(each.name) for each in database.operations]
    for place, operation in zip(operations, database.operations, strict=True):
        (said,) = declared.xpath("w:operation[@name=$name]", name=place.get("bindingOperationName"), namespaces=WSDL)
        assert place.get("action") == said.find("s:operation", WSDL).get("soapAction")
        (call,) = place.findall("con:call", CON)
        told = {each.tag.rpartition("}")[2]: each for each in call}
        assert told["endpoint"].text == address
        assert told["credentials"].findtext("con:authType", namespaces=CON) == "Preemptive"
        who = [known[told["credentials"].findtext(f"con:{part}", namespaces=CON)] for part in ("username", "password")]
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{place.get("action")}"'}
        answer = post(address, told["request"].text.encode(), {**headers, "Authorization": encode_basic_auth(*who)})
        expected = EXAMPLES[f"{database.name}/{operation.name}"]["data"]
        assert read(etree.fromstring(answer).find(".//{*}data"), expected) == expected
