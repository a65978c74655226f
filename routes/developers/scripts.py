"""Snippets in languages that need no compiler: curl, Python, PHP (mẫu gọi).

Client id and secret come from the environment, so that none of them stands in a file; questions go over standard input
or in the program, never on a command line, where other users of the machine would see them.
"""

from __future__ import annotations

import json
from typing import Any

from routes.developers.example import HEADERS, Example
from routes.developers.messages import WHO, curl_message, php_client, php_literal, python_literal, zeep_client
from routes.soap.names import CONTENT_TYPES, GATEWAY, namespace
from routes.soap.wsdl import Version
from security.soap_plain import SOAP


def curl_rest(example: Example) -> str:
    """Return a token and a look-up over REST."""
    headers = "".join(f" \\\n  -H '{name}: {value}'" for name, value in HEADERS.items())
    return (
        f"TOKEN=$(curl -sS -u {WHO} -d grant_type=client_credentials \\\n"
        f'  {example.base}/oauth2/token | sed \'s/.*"access_token": *"\\([^"]*\\)".*/\\1/\')\n'
        f'curl -sS -H "Authorization: Bearer $TOKEN"{headers} \\\n'
        f"  -H 'Content-Type: application/json' --data-binary @- \\\n"
        f"  {example.rest} <<'JSON'\n{_json(example.body)}\nJSON\n"
    )


def curl_soap(example: Example, version: Version = "1.1") -> str:
    """Return a look-up over SOAP."""
    return curl_message(example.base, example.database.name, example.element, example.envelope(version), version)


def curl_me(base: str) -> str:
    """Return the question what the caller may ask, over SOAP."""
    return (
        f"curl -sS -u {WHO} -H 'Content-Type: {CONTENT_TYPES['1.1']}; charset=utf-8' \\\n"
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
    return f"""\
{zeep_client(example.soap)}headers = {_python(blocks, 0)}
try:
    answer = client.service.{example.element}({_arguments(given)}_soapheaders=headers)
except zeep.exceptions.Fault as fault:
    raise SystemExit(fault.detail.findtext(".//{{{GATEWAY}}}code")) from None
print(json.dumps(serialize_object(answer.data, dict), ensure_ascii=False, indent=1))
"""


def php_soap(example: Example) -> str:
    """Return a look-up over SOAP with PHP's SoapClient."""
    blocks = "".join(
        f"    new SoapHeader('{GATEWAY}', '{name.removeprefix('Lgsp-')}', '{value}'),\n"
        for name, value in HEADERS.items()
    )
    given = "".join(f"        '{member.element}' => {php_literal(member.value)},\n" for member in example.given())
    return f"""\
{php_client(example.soap)}$client->__setSoapHeaders([
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


def _python(values: Any, indent: int) -> str:
    space = " " * indent
    inside = "".join(f"{space}    {_json(name)}: {python_literal(value)},\n" for name, value in values.items())
    return f"{{\n{inside}{space}}}"


def _lines(values: dict[str, str], pattern: str) -> str:
    return "\n".join(pattern.format(_json(name), _json(value)) for name, value in values.items())


def _arguments(given: dict[str, Any]) -> str:
    return "".join(f"{name}={python_literal(value)}, " for name, value in given.items())
