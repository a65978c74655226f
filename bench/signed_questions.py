"""Questions over SOAP that their caller signs: every one is another message, since each counts once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.answer import TAX_CODE
from routes.soap.names import GATEWAY, action_of, namespace
from security.signature_key import load_signer
from security.soap_signing import sign_soap_parts, text_header

_SAID: Final = {
    "Purpose": "dossier-processing",
    "Dossier": "000.00.00.H26-260105-0001",
    "Officer": "bench.officer",
}


def signed_questions(port: int, key: Path, certificate: Path) -> Callable[[], bytes]:
    """Return what makes one whole HTTP request after the other."""
    signer = load_signer(key, certificate)
    blocks = [text_header(GATEWAY, name, text) for name, text in _SAID.items()]
    space = namespace("tax")
    payload = f'<Taxpayer xmlns="{space}"><taxCode>{TAX_CODE}</taxCode></Taxpayer>'.encode()
    head = (
        f"POST /soap/tax HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: text/xml; charset=utf-8\r\n"
        f'SOAPAction: "{action_of("tax", "Taxpayer")}"\r\nContent-Length: '
    ).encode()

    def question() -> bytes:
        envelope = sign_soap_parts(payload, signer, headers=blocks).envelope
        return b"%b%d\r\n\r\n%b" % (head, len(envelope), envelope)

    return question
