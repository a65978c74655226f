"""Technical errors as a security server says them, for SOAP and for REST, in both spellings of the codes.

Others use `old_spelling("server.serverproxy.access_denied")` to get the code of versions up to 7.7
(`Server.ServerProxy.AccessDenied`); both doubles take either spelling wherever a code is given.
"""

from __future__ import annotations

import json
from uuid import uuid4
from xml.sax.saxutils import escape

from aiohttp import web
from multidict import CIMultiDict

from tests.test_xroad.double.vocabulary import SOAP

XML_TYPES = ("text/xml", "application/xml", "text/*")
TEXT_XML = "text/xml;charset=utf-8"
# All that capitals and underscores do not explain, from the table of codes before and after the change.
_OLD = {
    "serverproxy": "ServerProxy",
    "clientproxy": "ClientProxy",
    "opmonitor": "OpMonitor",
    "io_error": "IOError",
    "global_conf_outdated": "OutdatedGlobalConf",
    "hsm_non_operational": "HSMNonOperational",
    "hashchain_unused_inputs": "HashChainUnusedInputs",
    "token_readonly": "TokenReadOnly",
}


def old_spelling(code: str) -> str:
    """The code as servers up to 7.7 wrote it: capitals instead of underscores."""
    return ".".join(
        _OLD.get(part) or "".join(word.capitalize() for word in part.split("_")) for part in code.split(".")
    )


def technical_fault(code: str, text: str) -> bytes:
    """A SOAP 1.1 Fault envelope without X-Road headers; the detail is the number to search the logs for."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="{SOAP}"><SOAP-ENV:Body>'
        f"<SOAP-ENV:Fault><faultcode>{escape(code)}</faultcode><faultstring>{escape(text)}</faultstring>"
        f'<faultactor></faultactor><detail><faultDetail xmlns="">{uuid4()}</faultDetail></detail>'
        "</SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()


def soap_response(body: bytes, content_type: str = TEXT_XML, *, action: bool = False) -> web.Response:
    """An answer towards the consumer: HTTP 200 for faults too, as the servers do (HandlerBase.sendErrorResponse)."""
    headers = CIMultiDict({"Content-Type": content_type})
    if action:
        headers["SOAPAction"] = ""
    return web.Response(status=200, body=body, headers=headers)


def fault_response(code: str, text: str) -> web.Response:
    """A technical error in SOAP."""
    return soap_response(technical_fault(code, text), action=True)


def rest_error(code: str, text: str, accept: list[str], *, flagged: bool = True) -> web.Response:
    """A technical error in REST: 500 where the code begins with `server.`, else 400; `flagged` sets X-Road-Error."""
    wanted = [each.split(";", 1)[0].strip().lower() for value in accept for each in value.split(",")]
    kind = next((each for each in wanted if each in XML_TYPES), "application/json")
    detail = str(uuid4())
    if kind == "application/json":
        body = json.dumps({"type": code, "message": text, "detail": detail}, ensure_ascii=False).encode()
        content_type = "application/json;charset=utf-8"
    else:
        inner = f"<type>{escape(code)}</type><message>{escape(text)}</message><detail>{detail}</detail>"
        body = f'<?xml version="1.0" encoding="UTF-8"?><error>{inner}</error>'.encode()
        content_type = f"{'text/xml' if kind == 'text/*' else kind};charset=utf-8"
    headers = CIMultiDict({"Content-Type": content_type})
    if flagged:
        headers["X-Road-Error"] = code
    return web.Response(status=500 if code.lower().startswith("server.") else 400, body=body, headers=headers)
