"""Messages to any service, whatever they hold, in languages that need no compiler (mẫu gửi thông điệp SOAP)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from routes.soap.names import CONTENT_TYPES, GATEWAY, action_of
from routes.soap.types import ITEM
from routes.soap.wsdl import Version

WHO: Final = '"$LGSP_CLIENT_ID:$LGSP_CLIENT_SECRET"'
"""Client id and secret, for curl."""


def curl_message(base: str, service: str, element: str, envelope: str, version: Version = "1.1") -> str:
    """Return an envelope sent with curl; `element` names the operation."""
    media, action = f"{CONTENT_TYPES[version]}; charset=utf-8", action_of(service, element)
    if version == "1.1":
        headers = f"-H 'Content-Type: {media}' -H 'SOAPAction: \"{action}\"'"
    else:
        headers = f"-H 'Content-Type: {media}; action=\"{action}\"'"
    return f"curl -sS -u {WHO} \\\n  {headers} \\\n  --data-binary @- {base}/soap/{service} <<'XML'\n{envelope}XML\n"


def zeep_client(address: str) -> str:
    """Return what makes a client of zeep for the service at an address."""
    return f'''\
import json
import os

import requests
import zeep
from zeep.helpers import serialize_object

session = requests.Session()
session.auth = (os.environ["LGSP_CLIENT_ID"], os.environ["LGSP_CLIENT_SECRET"])
client = zeep.Client("{address}?wsdl", transport=zeep.Transport(session=session))
'''


def zeep_message(base: str, service: str, element: str, asked: dict[str, Any]) -> str:
    """Return a message sent with zeep; lists in `asked` are lists."""
    return f"""\
{zeep_client(f"{base}/soap/{service}")}asked = {_nested(_with_items(asked), ("{", "}"), ": ", python_literal)}
try:
    answer = client.service.{element}(**asked)
except zeep.exceptions.Fault as fault:
    raise SystemExit(fault.detail.findtext(".//{{{GATEWAY}}}code")) from None
print(json.dumps(serialize_object(answer, dict), ensure_ascii=False, indent=1))
"""


def php_client(address: str) -> str:
    """Return what makes PHP's SoapClient for the service at an address."""
    return f"""\
<?php
$client = new SoapClient('{address}?wsdl', [
    'login' => getenv('LGSP_CLIENT_ID'),
    'password' => getenv('LGSP_CLIENT_SECRET'),
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
]);
"""


def php_message(base: str, service: str, element: str, asked: dict[str, Any]) -> str:
    """Return a message sent with PHP's SoapClient; lists in `asked` are lists."""
    return f"""\
{php_client(f"{base}/soap/{service}")}try {{
    $answer = $client->{element}({_nested(_with_items(asked), ("[", "]"), " => ", php_literal, 4)});
}} catch (SoapFault $fault) {{
    exit(($fault->detail->Problem->code ?? $fault->getMessage()) . "\\n");
}}
echo json_encode($answer, JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), "\\n";
"""


def python_literal(value: Any) -> str:
    """Return a value as Python writes it, texts in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def php_literal(value: Any) -> str:
    """Return a value as PHP writes it."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)


def _with_items(value: Any) -> Any:
    """Return what is asked as the contract has it: a list is an element with items."""
    if isinstance(value, dict):
        return {name: _with_items(member) for name, member in value.items()}
    return {ITEM: [_with_items(item) for item in value]} if isinstance(value, list) else value


def _nested(value: Any, brackets: tuple[str, str], arrow: str, literal: Callable[[Any], str], indent: int = 0) -> str:
    """Return records and lists of them on several lines; `brackets` are those of a record, `arrow` follows a name."""
    if not isinstance(value, dict | list):
        return literal(value)
    deeper = indent + 4
    names = [f"{literal(name)}{arrow}" for name in value] if isinstance(value, dict) else [""] * len(value)
    members = value.values() if isinstance(value, dict) else value
    lines = "".join(
        f"{' ' * deeper}{name}{_nested(member, brackets, arrow, literal, deeper)},\n"
        for name, member in zip(names, members, strict=True)
    )
    opening, closing = brackets if isinstance(value, dict) else ("[", "]")
    return f"{opening}\n{lines}{' ' * indent}{closing}"
