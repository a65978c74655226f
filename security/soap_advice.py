"""What a caller is told to change when its SOAP message is signed in another way than the profile wants (hướng dẫn).

Only ever said about a message that was refused, and nothing is decided by it: the text of the message is looked at
without reading it. The names of options are those of node's `soap` 1.13 (WSSecurityCert), whose defaults are refused.
"""

from __future__ import annotations

import re

from security.signature import Rejected
from security.signature_structure import ENVELOPED, EXC_C14N

_BODY_WITHOUT_WSU = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?Body(?:\s[^<>]*)?\sId\s*=")
_TRANSFORM = ENVELOPED.encode()

_NAMES = "name what is signed by wsu:Id (node soap: signerOptions: { idMode: 'wssecurity' })"
_TRANSFORMS = f"give each Reference one transform, exclusive C14N (node soap: signatureTransformations: ['{EXC_C14N}'])"
_HEADERS = (
    "sign the header elements of the gateway too (node soap: additionalReferences: [their names as written in the "
    "message])"
)


def advised(rejection: Rejected, document: bytes, namespace: str) -> Rejected:
    """Return the refusal of a message with what to change in the signing; `namespace` is that of our header elements.

    A refusal for anything but the form of the signature is returned as it is.
    """
    if rejection.reason not in ("malformed", "not-covered"):
        return rejection
    steps = []
    if _BODY_WITHOUT_WSU.search(document):
        steps.append(_NAMES)
    if _TRANSFORM in document:
        steps.append(_TRANSFORMS)
    if namespace in rejection.detail or (steps and namespace.encode() in document):
        steps.append(_HEADERS)
    return Rejected(rejection.reason, "; ".join([rejection.detail, *steps])) if steps else rejection
