"""Files that test clients import: a Postman collection (v2.1) and a SoapUI project for each database (tệp nhập)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from lxml import etree

from routes.developers.example import HEADERS, Example
from routes.soap.names import CONTENT_TYPES, namespace
from security.xml import Element

_POSTMAN: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_SOAPUI: Final = "http://eviware.com/soapui/config"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_KEEP: Final = "pm.collectionVariables.set('accessToken', pm.response.json().access_token);"


def postman(examples: Sequence[Example]) -> bytes:
    """Return the collection of a database: a token, then each operation over REST and over SOAP 1.1.

    The variables `clientId` and `clientSecret` are left to the user; `accessToken` is set by the first request.
    """
    first = examples[0]
    title = first.database.title
    collection = {
        "info": {
            "_postman_id": _id(first, "postman"),
            "name": f"LGSP · {title.vi}",
            "description": f"{title.vi} · {title.en}. {first.base}/docs/soap/{first.database.name}",
            "schema": _POSTMAN,
        },
        "variable": [
            {"key": "baseUrl", "value": first.base, "type": "string"},
            *({"key": name, "value": "", "type": "string"} for name in ("clientId", "clientSecret", "accessToken")),
        ],
        "item": [
            _token(),
            {"name": "REST", "item": [_rest(example) for example in examples]},
            {"name": "SOAP", "item": [_soap(example) for example in examples]},
        ],
    }
    return json.dumps(collection, ensure_ascii=False, indent=1).encode() + b"\n"


def _id(example: Example, kind: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{example.soap}#{kind}"))


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value, "type": "text"} for name, value in values.items()]


def _url(path: str) -> dict[str, Any]:
    return {"raw": f"{{{{baseUrl}}}}/{path}", "host": ["{{baseUrl}}"], "path": path.split("/")}


_BASIC: Final = {
    "type": "basic",
    "basic": [
        {"key": "username", "value": "{{clientId}}", "type": "string"},
        {"key": "password", "value": "{{clientSecret}}", "type": "string"},
    ],
}
_BEARER: Final = {"type": "bearer", "bearer": [{"key": "token", "value": "{{accessToken}}", "type": "string"}]}


def _token() -> dict[str, Any]:
    return {
        "name": "Mã truy cập · Token",
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": [_KEEP]}}],
        "request": {
            "method": "POST",
            "auth": _BASIC,
            "header": [],
            "body": {"mode": "urlencoded", "urlencoded": _pairs({"grant_type": "client_credentials"})},
            "url": _url("oauth2/token"),
        },
        "response": [],
    }


def _item(example: Example, auth: dict[str, Any], headers: dict[str, str], raw: str, kind: str, path: str) -> Any:
    return {
        "name": f"{example.operation.title.vi} · {example.operation.title.en}",
        "request": {
            "method": "POST",
            "auth": auth,
            "header": _pairs(headers),
            "body": {"mode": "raw", "raw": raw, "options": {"raw": {"language": kind}}},
            "url": _url(path),
        },
        "response": [],
    }


def _rest(example: Example) -> Any:
    raw = json.dumps(example.body, ensure_ascii=False, indent=1)
    return _item(example, _BEARER, {"Content-Type": "application/json", **HEADERS}, raw, "json", f"v1/{example.name}")


def _soap(example: Example) -> Any:
    headers = {"Content-Type": f"{CONTENT_TYPES['1.1']}; charset=utf-8", "SOAPAction": f'"{example.action}"'}
    return _item(example, _BASIC, headers, example.envelope(), "xml", f"soap/{example.database.name}")


def soapui(examples: Sequence[Example]) -> bytes:
    """Return the project of a database: its SOAP 1.1 port by the address of the contract, one request an operation.

    The project's properties `clientId` and `clientSecret` are left to the user.
    """
    first = examples[0]
    root = etree.Element(
        f"{{{_SOAPUI}}}soapui-project",
        {"id": _id(first, "soapui"), "name": f"LGSP {first.service}", "resourceRoot": "", "soapui-version": "5.7.0"},
        nsmap={"con": _SOAPUI, "xsi": _XSI},
    )
    _con(root, "settings")
    port = f"{first.service}Soap11"
    interface = _con(
        root,
        "interface",
        **{f"{{{_XSI}}}type": "con:WsdlInterface"},
        id=_id(first, "interface"),
        wsaVersion="NONE",
        name=port,
        type="wsdl",
        bindingName=f"{{{namespace(first.database.name)}}}{port}",
        soapVersion="1_1",
        anonymous="optional",
        definition=f"{first.soap}?wsdl&soap=1.1",
    )
    _con(interface, "settings")
    _con(interface, "definitionCache")
    _con(_con(interface, "endpoints"), "endpoint", first.soap)
    for example in examples:
        _operation(interface, example)
    properties = _con(root, "properties")
    for name in ("clientId", "clientSecret"):
        held = _con(properties, "property")
        _con(held, "name", name)
        _con(held, "value")
    etree.indent(root)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _con(parent: Element, name: str, said: str | None = None, /, **attributes: str) -> Element:
    place = etree.SubElement(parent, f"{{{_SOAPUI}}}{name}", attributes)
    place.text = said
    return place


def _operation(interface: Element, example: Example) -> None:
    operation = _con(
        interface,
        "operation",
        isOneWay="false",
        action=example.action,
        name=example.element,
        bindingOperationName=example.element,
        type="Request-Response",
        inputName="",
        receivesAttachments="false",
        sendsAttachments="false",
        anonymous="optional",
    )
    _con(operation, "settings")
    call = _con(operation, "call", name=example.operation.title.vi)
    _con(call, "settings")
    _con(call, "encoding", "UTF-8")
    _con(call, "endpoint", example.soap)
    _con(call, "request", example.envelope())
    credentials = _con(call, "credentials")
    _con(credentials, "username", "${#Project#clientId}")
    _con(credentials, "password", "${#Project#clientSecret}")
    _con(credentials, "authType", "Preemptive")
