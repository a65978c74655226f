"""Snippets in languages that need no compiler: curl, Python, PHP (mẫu gọi).

Client id and secret come from the environment, so that none of them stands in a file; questions go over standard input
or in the program, never on a command line, where other users of the machine would see them.
"""

from __future__ import annotations

import json
from typing import Any

from routes.developers.example import HEADERS, Example
from routes.soap.names import CONTENT_TYPES, GATEWAY, namespace
from routes.soap.wsdl import Version
from security.soap_plain import SOAP

_WHO = '"$LGSP_CLIENT_ID:$LGSP_CLIENT_SECRET"'


def curl_rest(example: Example) -> str:
    """Return a token and a look-up over REST."""
    headers = "".join(f" \\\n  -H '{name}: {value}'" for name, value in HEADERS.items())
    return (
        f"TOKEN=$(curl -sS -u {_WHO} -d grant_type=client_credentials \\\n"
        f'  {example.base}/oauth2/token | sed \'s/.*"access_token": *"\\([^"]*\\)".*/\\1/\')\n'
        f'curl -sS -H "Authorization: Bearer $TOKEN"{headers} \\\n'
        f"  -H 'Content-Type: application/json' --data-binary @- \\\n"
        f"  {example.rest} <<'JSON'\n{_json(example.body)}\nJSON\n"
    )


def curl_soap(example: Example, version: Version = "1.1") -> str:
    """Return a look-up over SOAP."""
    media = f"{CONTENT_TYPES[version]}; charset=utf-8"
    if version == "1.1":
        headers = f"-H 'Content-Type: {media}' -H 'SOAPAction: \"{example.action}\"'"
    else:
        headers = f"-H 'Content-Type: {media}; action=\"{example.action}\"'"
    return (
        f"curl -sS -u {_WHO} \\\n  {headers} \\\n"
        f"  --data-binary @- {example.soap} <<'XML'\n{example.envelope(version)}XML\n"
    )


def curl_me(base: str) -> str:
    """Return the question what the caller may ask, over SOAP."""
    return (
        f"curl -sS -u {_WHO} -H 'Content-Type: {CONTENT_TYPES['1.1']}; charset=utf-8' \\\n"
        f"  --data-binary @- {base}/soap/me <<'XML'\n"
        f'<soap:Envelope xmlns:soap="{SOAP["1.1"]}"><soap:Body><Me xmlns="{namespace("me")}"/></soap:Body>'
        "</soap:Envelope>\nXML\n"
    )


def python_rest(example: Example) -> str:
    """Return a look-up over REST with the standard library alone."""
    return f'''\
import json
import os
import urllib.parse
import urllib.request

form = {{
    "grant_type": "client_credentials",
    "client_id": os.environ["LGSP_CLIENT_ID"],
    "client_secret": os.environ["LGSP_CLIENT_SECRET"],
}}
with urllib.request.urlopen("{example.base}/oauth2/token", urllib.parse.urlencode(form).encode()) as answer:
    token = json.load(answer)["access_token"]

question = {_python(example.body, 0)}
headers = {{
    "Authorization": f"Bearer {{token}}",
    "Content-Type": "application/json",
{_lines(HEADERS, "    {}: {},")}
}}
request = urllib.request.Request("{example.rest}", json.dumps(question).encode(), headers)
with urllib.request.urlopen(request) as answer:
    print(json.dumps(json.load(answer)["data"], ensure_ascii=False, indent=1))
'''


def python_soap(example: Example) -> str:
    """Return a look-up over SOAP with zeep."""
    blocks = {name.removeprefix("Lgsp-"): value for name, value in HEADERS.items()}
    given = {member.element: member.value for member in example.given()}
    return f'''\
import json
import os

import requests
import zeep
from zeep.helpers import serialize_object

session = requests.Session()
session.auth = (os.environ["LGSP_CLIENT_ID"], os.environ["LGSP_CLIENT_SECRET"])
client = zeep.Client("{example.soap}?wsdl", transport=zeep.Transport(session=session))
headers = {_python(blocks, 0)}
try:
    answer = client.service.{example.element}({_arguments(given)}_soapheaders=headers)
except zeep.exceptions.Fault as fault:
    raise SystemExit(fault.detail.findtext(".//{{{GATEWAY}}}code")) from None
print(json.dumps(serialize_object(answer.data, dict), ensure_ascii=False, indent=1))
'''


def php_soap(example: Example) -> str:
    """Return a look-up over SOAP with PHP's SoapClient."""
    blocks = "".join(
        f"    new SoapHeader('{GATEWAY}', '{name.removeprefix('Lgsp-')}', '{value}'),\n"
        for name, value in HEADERS.items()
    )
    given = "".join(f"        '{member.element}' => {_php(member.value)},\n" for member in example.given())
    return f"""\
<?php
$client = new SoapClient('{example.soap}?wsdl', [
    'login' => getenv('LGSP_CLIENT_ID'),
    'password' => getenv('LGSP_CLIENT_SECRET'),
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
]);
$client->__setSoapHeaders([
{blocks}]);
try {{
    $answer = $client->{example.element}([
{given}    ]);
}} catch (SoapFault $fault) {{
    exit(($fault->detail->Problem->code ?? $fault->getMessage()) . "\\n");
}}
echo json_encode($answer->data, JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), "\\n";
"""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _literal(value: Any) -> str:
    """Return a value as Python writes it, texts in double quotes."""
    return _json(value) if isinstance(value, str) else repr(value)


def _python(values: Any, indent: int) -> str:
    space = " " * indent
    inside = "".join(f"{space}    {_json(name)}: {_literal(value)},\n" for name, value in values.items())
    return f"{{\n{inside}{space}}}"


def _lines(values: dict[str, str], pattern: str) -> str:
    return "\n".join(pattern.format(_json(name), _json(value)) for name, value in values.items())


def _arguments(given: dict[str, Any]) -> str:
    return "".join(f"{name}={_literal(value)}, " for name, value in given.items())


def _php(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return _json(value)
